"""CycleGAN's generator: residual blocks between two halvings and two doublings of the size."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from kerasseg.models.blocks import convolution, up_convolution
from kerasseg.models.translation import instance_normalisation, joined, reflected_convolution

HALVINGS = 2


def resnet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    base_filters: int,
    residual_blocks: int,
    residual: str,
    outer_kernel: int,
    initializer: str,
    name: str = "resnet",
) -> keras.Model:
    """Build the residual generator of CycleGAN.

    Inside, images are in [-1, 1], as the paper's: they are scaled on their way in, and the hyperbolic tangent
    on their way out is scaled back, which makes it the sigmoid of twice its input. So it serves in both
    directions: from an image to its mask's classes, and from those to the image's channels.

    `kerasseg.recipe.models.Resnet` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of 4, 8 at least.
    classes : int
        K, the channels of the result.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to ``(B, ..., K)`` float32 in [0, 1].

    References
    ----------
    Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV 2017,
    arXiv:1703.10593, appendix 7.2. Johnson, Alahi and Fei-Fei, ECCV 2016, arXiv:1603.08155.
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Rescaling(2.0, -1.0, name="stem_rescale")(image)
    x = reflected_convolution(
        x, base_filters, outer_kernel, bias=False, initializer=initializer, name="stem_conv"
    )
    x = _normalised_relu(x, name="stem")
    for level in range(HALVINGS):
        filters, stage = base_filters * 2 ** (level + 1), f"encoder{level}"
        x = convolution(x, filters, 3, strides=2, bias=False, initializer=initializer, name=f"{stage}_conv")
        x = _normalised_relu(x, name=stage)
    for block in range(residual_blocks):
        x = _residual_block(
            x, base_filters * 2**HALVINGS, residual, initializer=initializer, name=f"residual{block}"
        )
    for stage in range(HALVINGS):
        filters = base_filters * 2 ** (HALVINGS - 1 - stage)
        x = up_convolution(x, filters, 3, bias=False, initializer=initializer, name=f"decoder{stage}_conv")
        x = _normalised_relu(x, name=f"decoder{stage}")
    x = reflected_convolution(x, classes, outer_kernel, initializer=initializer, name="head_conv")
    x = layers.Activation("tanh", dtype="float32", name="head_tanh")(x)
    x = layers.Rescaling(0.5, 0.5, dtype="float32", name="probabilities")(x)
    return keras.Model(image, x, name=name)


def _normalised_relu(x: KerasTensor, *, name: str) -> KerasTensor:
    return layers.Activation("relu", name=f"{name}_relu")(instance_normalisation(x, name=f"{name}_norm"))


def _residual_block(
    x: KerasTensor, filters: int, residual: str, *, initializer: str, name: str
) -> KerasTensor:
    """Two convolutions, after the second of which nothing is cut off at zero."""
    options = {"bias": False, "initializer": initializer}
    y = reflected_convolution(x, filters, 3, **options, name=f"{name}a_conv")
    y = _normalised_relu(y, name=f"{name}a")
    y = reflected_convolution(y, filters, 3, **options, name=f"{name}b_conv")
    y = instance_normalisation(y, name=f"{name}b_norm")
    return joined(x, y, residual, name=name)
