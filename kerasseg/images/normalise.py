"""From stored intensities to float32 in [0, 1], the only range that a model sees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseg.errors import UserError, unknown

LOW, HIGH = 1.0, 99.8  # percentiles, as StarDist takes them


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
    if method not in NORMALISATIONS:
        raise UserError(unknown("normalisation", method, NORMALISATIONS))
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise UserError(
            "the image holds NaN or infinite values; expected numbers. Replace them before training"
        )
    return NORMALISATIONS[method](image)


def by_dtype(image: np.ndarray) -> np.ndarray:
    """Divide integers by the largest value of their type; take floats in [0, 1] as they are."""
    if image.dtype.kind == "f":
        return _already_normalised(image)
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def by_minmax(image: np.ndarray) -> np.ndarray:
    """Map each channel's smallest value to 0 and its largest to 1."""
    axes = tuple(range(image.ndim - 1))
    return _stretch(image, image.min(axis=axes), image.max(axis=axes))


def by_percentile(image: np.ndarray) -> np.ndarray:
    """Map each channel's 1st percentile to 0 and its 99.8th to 1, and clip the rest."""
    low, high = np.percentile(image, [LOW, HIGH], axis=tuple(range(image.ndim - 1)))
    return _stretch(image, low, high)


NORMALISATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "dtype": by_dtype,
    "minmax": by_minmax,
    "percentile": by_percentile,
}


def _stretch(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    low, high = low.astype(np.float32), high.astype(np.float32)
    span = np.where(high > low, high - low, np.float32(1))
    return np.clip((image.astype(np.float32) - low) / span, 0, 1)


def _already_normalised(image: np.ndarray) -> np.ndarray:
    low, high = image.min(), image.max()
    if low >= 0 and high <= 1:
        return image.astype(np.float32, copy=False)
    raise UserError(
        f"float intensities lie in [{low:g}, {high:g}]; expected [0, 1] with normalise: dtype. "
        "Set data.normalise to minmax or percentile"
    )
