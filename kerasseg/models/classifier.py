"""A classifier of whole images, in the form of a network that segments: all pixels have the image's class."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from kerasseg.models.blocks import convolution, probabilities, rank
from kerasseg.models.encoders import encode


def classifier(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    batchnorm_momentum: float,
    initializer: str,
    dropout: float,
    name: str = "classifier",
    **encoder_arguments: Any,
) -> keras.Model:
    """Build an encoder, the mean of its deepest features, and one dense layer.

    What the layer says is given to every pixel, so that batches, losses, scores and reports are those of
    masks: where all images have one size, the share of pixels that are right is the accuracy.
    `kerasseg.recipe.models.Classifier` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of the
        encoder's stride.
    classes : int
        K, the channels of the result.
    batchnorm_momentum, initializer
        See `kerasseg.models.encoders.encode`.
    dropout : float
        Share of the mean's channels that training drops.
    **encoder_arguments
        The others of `kerasseg.models.encoders.encode`.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32, the same at
        every pixel.
    """
    options = {"batchnorm_momentum": batchnorm_momentum, "initializer": initializer}
    image, features = encode(input_shape, **encoder_arguments, **options)
    pool = {2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}[rank(image)]
    x = pool(keepdims=True, name="head_pool")(features[-1])
    x = layers.Dropout(dropout, name="head_dropout")(x)
    x = convolution(x, classes, 1, initializer=initializer, name="head_conv")
    # Multiplied, not added to zeros: TensorFlow 2.21 moves the bias behind such a sum, where it does not fit.
    pixels = ops.ones_like(ops.max(image, axis=-1, keepdims=True), dtype=x.dtype)
    x = layers.Multiply(name="head_pixels")([x, pixels])
    return keras.Model(image, probabilities(x, activation), name=name)
