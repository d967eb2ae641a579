"""Encoders: from an image to its feature maps, shallow to deep, each half the size of the one before."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
from keras import KerasTensor

from kerasseg.errors import UserError, unknown
from kerasseg.models.blocks import double_convolution, downsample
from kerasseg.models.efficientnet import efficientnet, efficientnet_lite


def plain(
    input_shape: tuple[int | None, ...],
    *,
    base_filters: int,
    levels: int,
    batchnorm_momentum: float,
    initializer: str,
) -> tuple[KerasTensor, list[KerasTensor]]:
    """The original U-Net's encoder: levels of two convolutions, with max-pooling between them.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None.
    base_filters : int
        Channels of the first level; each level doubles them.
    levels : int
        The original has 5, that for volumes 4.
    batchnorm_momentum : float
    initializer : str
        See `kerasseg.models.blocks.convolution`.

    Returns
    -------
    image : KerasTensor, (B, ..., C) in [0, 1]
    features : list of KerasTensor
        One a level, at strides 1, 2, 4, 8, ...

    References
    ----------
    Ronneberger et al., "U-Net", MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28. Cicek et al., "3D U-Net",
    MICCAI 2016, DOI 10.1007/978-3-319-46723-8_49.
    """
    image = x = keras.Input(input_shape, name="image")
    features = []
    options = {"momentum": batchnorm_momentum, "initializer": initializer}
    for level in range(levels):
        x = downsample(x, name=f"encoder{level}_pool") if level else x
        x = double_convolution(x, base_filters * 2**level, **options, name=f"encoder{level}")
        features.append(x)
    return image, features


ENCODERS: dict[str, Callable[..., tuple[KerasTensor, list[KerasTensor | None]]]] = {
    "plain": plain,
    **{f"efficientnetb{n}": partial(efficientnet, variant=f"B{n}") for n in range(8)},
    **{f"efficientnetlite{n}": partial(efficientnet_lite, variant=f"Lite{n}") for n in range(3)},
}


def encode(
    input_shape: tuple[int | None, ...],
    *,
    encoder: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    freeze_batchnorm: bool,
    base_filters: int,
    levels: int,
    batchnorm_momentum: float,
    initializer: str,
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """Build an encoder by its name, with those of these arguments that it takes.

    `kerasseg.recipe.models.Encoded` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``.
    encoder : str
        A name in `ENCODERS`.
    encoder_weights : {"imagenet", "noisy-student", None} or Path
        None draws them at random; a path is that of a file for `kerasseg.models.pretrained.read_h5`.
    encoder_weights_fallback : {"error", "random"}
        What to do where the weights are neither installed nor can be downloaded.
    freeze_batchnorm : bool
        Whether batch normalisation that starts from weights keeps its statistics, scales and offsets.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`, for `plain`.

    Returns
    -------
    image : KerasTensor
    features : list of KerasTensor
        Shallow to deep, from stride 1 on; None where the encoder has none.

    Raises
    ------
    UserError
        Where there is no encoder of that name.
    """
    arguments = {
        "encoder_weights": encoder_weights,
        "encoder_weights_fallback": encoder_weights_fallback,
        "freeze_batchnorm": freeze_batchnorm,
        "base_filters": base_filters,
        "levels": levels,
        "batchnorm_momentum": batchnorm_momentum,
        "initializer": initializer,
    }
    if encoder not in ENCODERS:
        raise UserError(unknown("encoder", encoder, ENCODERS))
    builder = ENCODERS[encoder]
    taken = inspect.signature(builder).parameters.keys() & arguments.keys()
    return builder(input_shape, **{name: arguments[name] for name in taken})
