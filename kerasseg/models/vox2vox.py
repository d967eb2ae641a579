"""Vox2Vox's generator: a U-Net of strided convolutions with residual blocks at its bottom.

In 2-D it is, but for those blocks, that of pix2pix.
"""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from kerasseg.models.blocks import convolution, probabilities, up_convolution
from kerasseg.models.translation import instance_normalisation, joined, leaky_relu

KERNEL = 4


def vox2vox(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    base_filters: int,
    levels: int,
    residual_blocks: int,
    residual: str,
    dropout: float,
    initializer: str,
    name: str = "vox2vox",
) -> keras.Model:
    """Build Vox2Vox's generator.

    Kernels are of 4 pixels along each axis. As in pix2pix, the first level is not normalised and LeakyReLU's
    slope is 0.2, of which the paper says nothing.

    `kerasseg.recipe.models.Vox2vox` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of ``2**levels``.
    classes : int
        K, the channels of the result.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Cirillo, Abramian and Eklund, "Vox2Vox", BrainLes 2020, arXiv:2003.13653, section 2.2. In 2-D: Isola et
    al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017, arXiv:1611.07004.
    """
    image = x = keras.Input(input_shape, name="image")
    features = []
    for level in range(levels):
        x = _halved(
            x, base_filters * 2**level, normalise=level > 0, initializer=initializer, name=f"encoder{level}"
        )
        features.append(x)
    *skips, x = features
    for block in range(residual_blocks):
        filters = features[-1].shape[-1]
        x = _residual_block(x, filters, residual, dropout, initializer=initializer, name=f"residual{block}")
    for stage, skip in enumerate(reversed(skips)):
        x = _doubled(x, skip.shape[-1], initializer=initializer, name=f"decoder{stage}")
        x = layers.Concatenate(name=f"decoder{stage}_concatenate")([x, skip])
    x = up_convolution(x, classes, KERNEL, initializer=initializer, name="head_conv")
    return keras.Model(image, probabilities(x, activation), name=name)


def _halved(x: KerasTensor, filters: int, *, normalise: bool, initializer: str, name: str) -> KerasTensor:
    x = convolution(
        x, filters, KERNEL, strides=2, bias=not normalise, initializer=initializer, name=f"{name}_conv"
    )
    x = instance_normalisation(x, name=f"{name}_norm") if normalise else x
    return leaky_relu(x, name=name)


def _residual_block(
    x: KerasTensor, filters: int, residual: str, dropout: float, *, initializer: str, name: str
) -> KerasTensor:
    y = convolution(x, filters, KERNEL, bias=False, initializer=initializer, name=f"{name}_conv")
    y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = leaky_relu(instance_normalisation(y, name=f"{name}_norm"), name=name)
    return joined(x, y, residual, name=name)


def _doubled(x: KerasTensor, filters: int, *, initializer: str, name: str) -> KerasTensor:
    x = up_convolution(x, filters, KERNEL, bias=False, initializer=initializer, name=f"{name}_conv")
    return leaky_relu(instance_normalisation(x, name=f"{name}_norm"), name=name)
