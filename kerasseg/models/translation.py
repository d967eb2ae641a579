"""Blocks of networks that translate one image into another: instance normalisation, reflection, residuals.

As those of `kerasseg.models.blocks`, they are functions from tensor to tensor, 2-D or 3-D by rank.
"""

from __future__ import annotations

from keras import KerasTensor, layers, ops

from kerasseg.errors import UserError, unknown
from kerasseg.models.blocks import convolution, rank

LEAK = 0.2  # slope of LeakyReLU below zero
EPSILON = 1e-5  # of instance normalisation


def instance_normalisation(x: KerasTensor, *, name: str) -> KerasTensor:
    """Normalise each channel of each image by its own mean and variance over all pixels.

    ``gamma (x - mean) / sqrt(variance + 1e-5) + beta``, with a gamma and a beta for each channel: what group
    normalisation is with as many groups as channels. It is the same in training and in prediction, so what is
    seen of an image changes its answer: tiles never quite equal the whole.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    name : str

    Returns
    -------
    KerasTensor, (B, ..., C)

    References
    ----------
    Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", arXiv:1607.08022, 2016, equation 3.
    """
    return layers.GroupNormalization(groups=-1, epsilon=EPSILON, name=name)(x)


def batch_normalisation(x: KerasTensor, *, name: str) -> KerasTensor:
    """Normalise each channel by the mean and variance of a batch, in prediction by those of training."""
    return layers.BatchNormalization(name=name)(x)


NORMALISATIONS = {"instance": instance_normalisation, "batch": batch_normalisation}


def normalised(x: KerasTensor, kind: str, *, name: str) -> KerasTensor:
    """Normalise by a name in `NORMALISATIONS`.

    Raises
    ------
    UserError
        Where there is none of that name.
    """
    if kind not in NORMALISATIONS:
        raise UserError(unknown("normalisation", kind, NORMALISATIONS))
    return NORMALISATIONS[kind](x, name=f"{name}_norm")


RESIDUALS = {"add": layers.Add, "concatenate": layers.Concatenate}


def joined(x: KerasTensor, y: KerasTensor, residual: str, *, name: str) -> KerasTensor:
    """Bring what a residual block was given together with what it made of it.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
        What the block was given.
    y : KerasTensor, (B, ..., F)
        What it made of it.
    residual : {"add", "concatenate"}
        Added, where C is F; or concatenated, so that each block adds its F channels to those before it.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., C) or (B, ..., C + F)

    Raises
    ------
    UserError
        Where `RESIDUALS` has none of that name.
    """
    if residual not in RESIDUALS:
        raise UserError(unknown("residual", residual, RESIDUALS))
    return RESIDUALS[residual](name=f"{name}_{residual}")([x, y])


def leaky_relu(x: KerasTensor, *, name: str) -> KerasTensor:
    """``max(x, 0.2 x)``."""
    return layers.LeakyReLU(LEAK, name=f"{name}_leaky_relu")(x)


def reflected_convolution(
    x: KerasTensor, filters: int, kernel: int, *, bias: bool = True, initializer: str, name: str
) -> KerasTensor:
    """Convolve to the same size, with the image mirrored at its edges and not ended by zeros.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
        Of more than ``kernel // 2`` pixels along each axis.
    filters : int
    kernel : int
        Odd.
    bias, initializer, name
        See `kerasseg.models.blocks.convolution`.

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    edge = [kernel // 2] * 2
    x = ops.pad(x, [[0, 0], *[edge] * rank(x), [0, 0]], mode="reflect")
    return convolution(x, filters, kernel, padding="valid", bias=bias, initializer=initializer, name=name)
