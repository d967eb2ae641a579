"""Holes and islands that are too small to be meant.

As in the original (facebookresearch/segment-anything, `utils/amg.py`, Apache-2.0): parts are connected by
sides and corners, and of a mask that has only small parts the largest stays.
"""

from __future__ import annotations

import cv2
import numpy as np


def without_small_regions(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Fill holes and then remove islands of fewer pixels.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X), bool
        With at least one pixel.
    smallest : int
        Pixels.

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool
        The mask itself where there is nothing to do.
    """
    return without_islands(without_holes(mask, smallest), smallest)


def without_holes(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Fill the parts of the background that have fewer pixels; see :func:`without_small_regions`."""
    parts, areas = _parts(~mask)
    small = areas < smallest
    return mask | np.append(False, small)[parts] if small.any() else mask


def without_islands(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Remove the parts that have fewer pixels; see :func:`without_small_regions`."""
    parts, areas = _parts(mask)
    large = areas >= smallest
    if large.all():
        return mask
    large[np.argmax(areas)] = True
    return np.append(False, large)[parts]


def _parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the connected parts from 1: (Y, X) int32, and their areas."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return parts, statistics[1:, cv2.CC_STAT_AREA]
