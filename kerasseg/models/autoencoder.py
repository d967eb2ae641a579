"""Autoencoder: a network that learns to draw its image from a small code, and so what images have in common.

It is not a model for segmentation: nobody names a pixel for it, and no recipe names it as its model.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from kerasseg.models.blocks import convolution, downsample, probabilities, upsample

CODE = "code"


def autoencoder(
    input_shape: tuple[int | None, ...],
    *,
    filters: Sequence[int] = (16, 8, 8),
    initializer: str = "he_uniform",
    name: str = "autoencoder",
) -> keras.Model:
    """Build a convolutional autoencoder.

    The paper fixes three convolutions with pooling, three with upsampling, ReLU after each, and a code of
    16x16x8 for 128x128 pixels (it prints 8x8x16 as well, to which three poolings do not lead). It leaves open
    the channels, of which only the code's 8 are known; the kernels, 3x3 here; and how 16 channels become an
    image: here by one more convolution and a sigmoid. A ReLU there would have no gradient left once it
    answers 0 everywhere, which is nearly right for dark slides.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of ``2**len(filters)``.
    filters : sequence of int
        Channels of each convolution that a pooling follows; the last are the code's. Upwards they are
        mirrored.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`.
    name : str

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` in [0, 1] to the image again, float32. `encoder` is its first half.

    References
    ----------
    Cai, "Advanced Image Segmentation Techniques for Neural Activity Detection via C-fos Immediate Early Gene
    Expression", section II.C.
    """
    image = x = keras.Input(input_shape, name="image")
    for stage, channels in enumerate(filters):
        x = _convolution_relu(x, channels, initializer=initializer, name=f"encoder{stage}")
        x = downsample(x, name=f"encoder{stage}_pool")
    x = layers.Activation("linear", dtype="float32", name=CODE)(x)
    for stage, channels in enumerate(reversed(filters)):
        x = _convolution_relu(x, channels, initializer=initializer, name=f"decoder{stage}")
        x = upsample(x, name=f"decoder{stage}_upsample")
    x = convolution(x, input_shape[-1], 3, initializer=initializer, name="head_conv")
    return keras.Model(image, probabilities(x, "sigmoid"), name=name)


def encoder(model: keras.Model) -> keras.Model:
    """Take the half of an autoencoder that makes codes; it shares the weights.

    Parameters
    ----------
    model : keras.Model
        Of `autoencoder`.

    Returns
    -------
    keras.Model
        From an image ``(B, Y, X, C)`` in [0, 1] to codes ``(B, Y / 8, X / 8, 8)`` float32, not negative.
    """
    return keras.Model(model.input, model.get_layer(CODE).output, name=f"{model.name}_encoder")


def _convolution_relu(x: KerasTensor, filters: int, *, initializer: str, name: str) -> KerasTensor:
    x = convolution(x, filters, 3, initializer=initializer, name=f"{name}_conv")
    return layers.Activation("relu", name=f"{name}_relu")(x)
