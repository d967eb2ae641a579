"""Intensities of one image brought to the histogram of another.

Two histograms are all it takes: they give a table from old intensities to new ones, which is applied region
by region. So a stack is read twice and never whole. The table is that of
`skimage.exposure.match_histograms`, after Gonzalez and Woods 2008, Digital Image Processing, section 3.3.2.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kerasseg.images.statistics import Bands, histogram


def counts(bands: Bands, leave_out: Iterable[int] = ()) -> np.ndarray:
    """Count how often each channel has each intensity.

    Parameters
    ----------
    bands : callable
        From nothing to an iterable of parts of the image, (..., C) each, uint8 or uint16.
    leave_out : iterable of int
        Intensities that are not counted, such as that of a frame around the image.

    Returns
    -------
    np.ndarray
        (C, 65536) int64.
    """
    found = histogram(bands)
    found[:, list(leave_out)] = 0
    return found


def table(
    image: np.ndarray, reference: np.ndarray, dtype: np.dtype, leave_out: Iterable[int] = ()
) -> np.ndarray:
    """Find the new intensity of each old one.

    Parameters
    ----------
    image, reference : np.ndarray
        (C, 65536) what `counts` counted in each.
    dtype : np.dtype
        uint8 or uint16: of both images.
    leave_out : iterable of int
        Intensities that stay as they are.

    Returns
    -------
    np.ndarray
        (C, V) of that type, V being how many values it has: the nearest whole numbers to those that
        scikit-image finds. Of an image of which nothing was counted all stay as they are.
    """
    values = np.iinfo(dtype).max + 1
    found = np.tile(np.arange(values, dtype=dtype), (len(image), 1))
    for channel, (old, new) in enumerate(zip(image[:, :values], reference[:, :values], strict=True)):
        if old.any() and new.any():
            there = np.flatnonzero(new)
            quantiles = np.cumsum(new[there]) / new.sum()
            found[channel] = np.rint(np.interp(np.cumsum(old) / old.sum(), quantiles, there))
    kept = list(leave_out)
    found[:, kept] = np.array(kept, dtype)
    return found


def matched(region: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give a region, (..., C) uint8 or uint16, its new intensities from a `table`: of the same type."""
    return np.stack([one[region[..., channel]] for channel, one in enumerate(new)], axis=-1)


def moved(counts: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give the counts, (C, 65536), of an image whose intensities a `table` replaced."""
    found = np.zeros_like(counts)
    for channel, one in enumerate(new):
        np.add.at(found[channel], one, counts[channel, : len(one)])
    return found
