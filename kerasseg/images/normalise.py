"""From stored intensities to float32 in [0, 1], the only range that a model sees.

What becomes 0 and what becomes 1 is asked of a whole image; stretching to that can be done region by region.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError, unknown

LOW, HIGH = 1.0, 99.8  # percentiles, as StarDist takes them


class Limits(NamedTuple):
    """The intensities that become 0 and 1, each of shape (C,) or one for all channels."""

    low: np.ndarray
    high: np.ndarray


def normalise(image: np.ndarray, method: str = "dtype") -> np.ndarray:
    """Scale intensities to [0, 1].

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        As stored; the last axis is channels.
    method : {"dtype", "minmax", "percentile"}
        What becomes 0 and 1: the ends of the type's range (floats must lie in [0, 1] already), each channel's
        smallest and largest value, or each channel's 1st and 99.8th percentile with the rest clipped.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]
        A constant channel becomes 0 by "minmax" and "percentile".

    Raises
    ------
    UserError
        If the method is unknown, a value is not finite, or "dtype" is given floats outside [0, 1].
    """
    check_method(method)
    check_finite(image)
    return stretch(image, NORMALISATIONS[method](image))


def stretch(image: np.ndarray, limits: Limits) -> np.ndarray:
    """Map known limits to 0 and 1, and clip the rest.

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        An image or a region of one.
    limits : Limits
        Of the whole image.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]
        The image itself where there is nothing to do.
    """
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    if image.dtype == np.float32 and (low == 0).all() and (high == 1).all():
        return image
    stretched = image.astype(np.float32)
    stretched -= low
    stretched /= np.where(high > low, high - low, np.float32(1))
    return np.clip(stretched, 0, 1, out=stretched)


def of_dtype(image: np.ndarray) -> Limits:
    """Take the ends of the type's range; floats must lie in [0, 1] already."""
    return range_of(image.dtype) if image.dtype.kind != "f" else unit_range(Limits(image.min(), image.max()))


def of_minmax(image: np.ndarray) -> Limits:
    """Take each channel's smallest and largest value."""
    axes = tuple(range(image.ndim - 1))
    return Limits(image.min(axis=axes), image.max(axis=axes))


def of_percentile(image: np.ndarray) -> Limits:
    """Take each channel's 1st and 99.8th percentile."""
    return Limits(*np.percentile(image, [LOW, HIGH], axis=tuple(range(image.ndim - 1))))


NORMALISATIONS: dict[str, Callable[[np.ndarray], Limits]] = {
    "dtype": of_dtype,
    "minmax": of_minmax,
    "percentile": of_percentile,
}


def range_of(dtype: np.dtype) -> Limits:
    """Give the ends of an integer type's range."""
    return Limits(np.zeros(1), np.full(1, np.iinfo(dtype).max))


def unit_range(found: Limits) -> Limits:
    """Give [0, 1], in which the smallest and largest float of an image must lie.

    Raises
    ------
    UserError
        If they do not.
    """
    low, high = found.low.min(), found.high.max()
    if low >= 0 and high <= 1:
        return Limits(np.zeros(1), np.ones(1))
    raise UserError(
        f"float intensities lie in [{low:g}, {high:g}]; expected [0, 1] with normalise: dtype. "
        "Set data.normalise to minmax or percentile"
    )


def check_method(method: str) -> None:
    """Refuse a normalisation that does not exist."""
    if method not in NORMALISATIONS:
        raise UserError(unknown("normalisation", method, NORMALISATIONS))


def check_finite(image: np.ndarray) -> None:
    """Refuse floats that are no numbers."""
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise UserError("the image holds NaN or infinite values; expected numbers. Replace them first")
