"""PSPU-SkelNet: three U-Nets of different strides side by side, whose maps one convolution joins."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from kerasseg.models.blocks import convolution, head, up_convolution
from kerasseg.models.translation import instance_normalisation

KERNEL = 3
JOINED = 32  # channels of the convolution that joins the three maps
STRIDES = ((1, 2, 2, 2, 2, 2, 2), (1, 4, 4, 4), (1, 8, 8))
"""Of each network's encoder, step by step."""


def pspu_skelnet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    base_filters: int,
    initializer: str,
    name: str = "pspu_skelnet",
) -> keras.Model:
    """Build a PSPU-SkelNet, after the authors' code, which is under the MIT licence.

    `kerasseg.recipe.models.PspuSkelnet` describes the arguments that are not described here. Where a stride
    of 4 or 8 is undone, kernels of three pixels leave gaps, as they do in the original: the network of stride
    2 fills them.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of 64.
    classes : int
        K, the channels of the result.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Atienza, "Pyramid U-Network for skeleton extraction from shape points", CVPR Workshops 2019.
    https://github.com/roatienza/skelnet
    """
    image = keras.Input(input_shape, name="image")
    maps = [
        _unet(image, strides, base_filters, initializer=initializer, name=f"unet{number}")
        for number, strides in enumerate(STRIDES)
    ]
    x = layers.Concatenate(name="maps")(maps)
    x = convolution(x, JOINED, 1, initializer=initializer, name="joined_conv")
    return keras.Model(image, head(x, classes, activation, initializer=initializer), name=name)


def _unet(
    x: KerasTensor, strides: Sequence[int], base_filters: int, *, initializer: str, name: str
) -> KerasTensor:
    """Go down by so many steps and up again; each step down has twice the channels of the one before."""
    skips = []
    for level, stride in enumerate(strides):
        step = f"{name}_encoder{level}"
        x, filters = _normed_relu(x, name=step), base_filters * 2**level
        x = convolution(x, filters, KERNEL, strides=stride, initializer=initializer, name=f"{step}_conv")
        skips.append(x)
    for level in range(len(strides) - 1, 0, -1):
        step, skip = f"{name}_decoder{level}", skips[level - 1]
        x = up_convolution(
            _normed_relu(x, name=step),
            skip.shape[-1],
            KERNEL,
            strides=strides[level],
            initializer=initializer,
            name=f"{step}_conv",
        )
        x = layers.Concatenate(name=f"{step}_concatenate")([x, skip])
    return convolution(x, 1, 1, initializer=initializer, name=f"{name}_map")


def _normed_relu(x: KerasTensor, *, name: str) -> KerasTensor:
    return layers.Activation("relu", name=f"{name}_relu")(instance_normalisation(x, name=f"{name}_norm"))
