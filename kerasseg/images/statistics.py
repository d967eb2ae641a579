"""What intensities a whole image has, be it in memory or only ever seen in bands.

Percentiles are exact. Integers of 8 and 16 bits are counted, each value by itself. Floats are ordered by
their bits, taken as whole numbers: one pass over the image counts their upper halves, which says in which few
of 65,536 bins the wanted ranks lie, and a second pass counts the lower halves of what lies in those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError

HALF = 16  # bits
VALUES = 1 << HALF
SIGN = np.uint32(1 << 31)
COUNTED_AT_ONCE = 1 << 18
LOOKED_AT_FIRST = 64  # numbers that may all be one
BAND_BYTES = 4 << 20  # of an image in memory: counting takes eight bytes a number

Bands = Callable[[], Iterable[np.ndarray]]


class Limits(NamedTuple):
    """The intensities that become 0 and 1, each of shape (C,) or one for all channels."""

    low: np.ndarray
    high: np.ndarray


def bands_of(image: np.ndarray) -> Bands:
    """Cut an image in memory, (..., C), along its first axis, so that counting it takes little more."""
    parts = max(1, min(len(image), image.nbytes // BAND_BYTES))
    return lambda: np.array_split(image, parts)


def type_limits(bands: Bands, dtype: np.dtype) -> Limits:
    """Take the ends of the type's range; only floats are read, to see whether they keep to [0, 1].

    Raises
    ------
    UserError
        If floats do not.
    """
    if dtype.kind != "f":
        return Limits(np.zeros(1), np.full(1, np.iinfo(dtype).max))
    low, high = extremes(bands)
    if low.min() < 0 or high.max() > 1:
        raise UserError(
            f"float intensities lie in [{low.min():g}, {high.max():g}]; expected [0, 1] with normalise: "
            "dtype. Set data.normalise to minmax or percentile"
        )
    return Limits(np.zeros(1), np.ones(1))


def extremes(bands: Bands) -> Limits:
    """Find each channel's smallest and largest value.

    Parameters
    ----------
    bands : callable
        From nothing to an iterable of parts of the image, (..., C) each, uint8, uint16 or float32.

    Returns
    -------
    Limits
        Each of shape (C,).

    Raises
    ------
    UserError
        If a value is not finite.
    """
    low, high = [], []
    for band in bands():
        _check_finite(band)
        axes = tuple(range(band.ndim - 1))
        low.append(band.min(axis=axes))
        high.append(band.max(axis=axes))
    return Limits(np.min(low, axis=0), np.max(high, axis=0))


def moments(bands: Bands) -> tuple[np.ndarray, np.ndarray]:
    """Find each channel's mean and standard deviation, (C,) float64 each.

    Squares are summed around the mean, in a second pass, as rounding would tell otherwise.

    Parameters
    ----------
    bands : callable
        As in :func:`extremes`; called twice.

    Raises
    ------
    UserError
        If a value is not finite.
    """
    count, mean = 0, 0.0
    for band in bands():
        _check_finite(band)
        count, mean = count + band[..., 0].size, mean + _summed(band)
    mean = mean / count
    squares = sum(_summed((band - mean) ** 2) for band in bands())
    return mean, np.sqrt(squares / count)


def _summed(band: np.ndarray) -> np.ndarray:
    return band.reshape(-1, band.shape[-1]).sum(axis=0, dtype=np.float64)


def percentiles(bands: Bands, dtype: np.dtype, wanted: tuple[float, ...]) -> np.ndarray:
    """Find percentiles of each channel, between two values by a straight line, as numpy does.

    Parameters
    ----------
    bands : callable
        As in :func:`extremes`; called twice for floats.
    wanted : tuple of float
        Between 0 and 100.

    Returns
    -------
    numpy.ndarray, shape (len(wanted), C), float64

    Raises
    ------
    UserError
        If a value is not finite.
    """
    upper = _count(bands, lambda band: _key(band) >> HALF) if dtype.kind == "f" else histogram(bands)
    positions = [(upper[0].sum() - 1) * (percent / 100) for percent in wanted]
    ranks = [rank for place in positions for rank in (math.floor(place), math.ceil(place))]
    if dtype.kind == "f":
        values = _floats(bands, upper, ranks).astype(np.float64)
    else:
        values = np.stack([_places(counts, ranks) for counts in upper], axis=1)
    below, above, share = values[0::2], values[1::2], np.array(positions)[:, np.newaxis] % 1
    step = above - below  # from the nearer end, so that rounding is numpy's
    return np.where(share < 0.5, below + step * share, above - step * (1 - share))


def histogram(bands: Bands) -> np.ndarray:
    """Count how often each channel has each value of 8 or 16 bits.

    Parameters
    ----------
    bands : callable
        From nothing to an iterable of parts of the image, (..., C) each, uint8 or uint16.

    Returns
    -------
    numpy.ndarray, shape (C, 65536), int64
    """
    return _count(bands, lambda band: band)


def _count(bands: Bands, digit: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Count how often each channel has each digit: (C, VALUES)."""
    total = 0
    for band in bands():
        _check_finite(band)
        channels = digit(band).reshape(-1, band.shape[-1]).T
        total = total + np.stack([_bincount(channel) for channel in channels])
    return total


def _bincount(values: np.ndarray) -> np.ndarray:
    """Count in parts that stay in the processor's cache when they become eight bytes a number."""
    counts = np.zeros(VALUES, np.int64)
    for part in np.array_split(values, max(1, len(values) // COUNTED_AT_ONCE)):
        alike = ((some == part[:1]).all() for some in (part[:LOOKED_AT_FIRST], part))
        if all(alike):  # as most of a slide or of a sparse volume is
            counts[part[:1]] += len(part)
        else:
            counts += np.bincount(part, minlength=VALUES)
    return counts


def _places(counts: np.ndarray, ranks: list[int]) -> np.ndarray:
    """Find the value that has each rank, by how often there is each value."""
    return np.searchsorted(np.cumsum(counts), ranks, side="right")


def _floats(bands: Bands, upper: np.ndarray, ranks: list[int]) -> np.ndarray:
    """Find the floats that have each rank, by a second pass: (len(ranks), C) float32."""
    bins = np.stack([_places(counts, ranks) for counts in upper], axis=1)
    lower = _count_within(bands, bins)
    keys = np.empty(bins.shape, np.uint32)
    for (number, channel), chosen in np.ndenumerate(bins):
        before = upper[channel, :chosen].sum()
        inside = _places(lower[channel, chosen], [ranks[number] - before])[0]
        keys[number, channel] = chosen << HALF | inside
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)


def _count_within(bands: Bands, bins: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Count the lower halves in a few bins of each channel."""
    wanted = [sorted(set(column)) for column in bins.T.tolist()]
    counts = {(channel, chosen): 0 for channel, column in enumerate(wanted) for chosen in column}
    for band in bands():
        for channel, column in enumerate(wanted):
            keys = _key(band[..., channel])
            upper = keys >> HALF
            for chosen in column:
                inside = keys[upper == chosen] & (VALUES - 1)
                counts[channel, chosen] = counts[channel, chosen] + np.bincount(inside, minlength=VALUES)
    return counts


def _key(floats: np.ndarray) -> np.ndarray:
    """Give the whole numbers that are ordered as the floats are: negative ones have all bits turned."""
    bits = np.ascontiguousarray(floats).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _check_finite(band: np.ndarray) -> None:
    if band.dtype.kind == "f" and not np.isfinite(band).all():
        raise UserError("the image holds NaN or infinite values; expected numbers. Replace them first")
