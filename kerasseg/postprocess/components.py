"""Mask to labels: every connected component is an object, and objects are numbered by their first pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cc3d
import numpy as np
from scipy import ndimage

from kerasseg.images.label_ids import consecutive
from kerasseg.masks import IGNORE

Box = tuple[slice, ...]
CONNECTIVITY = {(2, False): 4, (2, True): 8, (3, False): 6, (3, True): 26}  # by rank, and whether diagonal

INNER = {rank: (slice(1, -1),) * rank for rank in (2, 3)}  # what is not the frame


def labels(mask: np.ndarray, *, smallest: int = 0, fill: bool = False, diagonal: bool = False) -> np.ndarray:
    """Number the objects of a mask: its connected components, class by class.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    smallest : int
        Objects of fewer pixels are dropped, holes filled first.
    fill : bool
        Whether holes within an object become part of it.
    diagonal : bool
        Whether pixels that touch only at a corner are connected.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape: 0 for background, 1..N in the order of the first pixels.
    """
    numbered = components(mask, diagonal)
    if fill:
        fill_objects(numbered, ndimage.find_objects(numbered))
    return remove_small(numbered, smallest) if smallest > 1 else numbered


def components(mask: np.ndarray, diagonal: bool) -> np.ndarray:
    """Number the connected components of a mask, none dropped: int32 of the mask's shape."""
    foreground = np.ascontiguousarray(np.where(mask == IGNORE, 0, mask))  # cc3d numbers in memory's order
    return cc3d.connected_components(foreground, connectivity=CONNECTIVITY[mask.ndim, diagonal]).astype(
        np.int32
    )


def remove_small(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Drop objects of fewer than `smallest` pixels and number the rest 1..N in their old order.

    Parameters
    ----------
    labels : np.ndarray
        int32, one id an object, 0 for background.
    smallest : int
        The least size that is kept.

    Returns
    -------
    np.ndarray
        int32 of the same shape.
    """
    _, numbers = consecutive(labels)
    sizes = np.bincount(numbers.ravel(), minlength=1)
    kept = sizes >= max(smallest, 1)
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[numbers]


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Give the background that an object encloses to that object; objects within it stay.

    Parameters
    ----------
    labels : np.ndarray
        int32, one id an object, 0 for background.

    Returns
    -------
    np.ndarray
        int32 of the same shape, a copy.
    """
    ids, numbers = consecutive(labels)
    filled = numbers.copy()
    fill_objects(filled, ndimage.find_objects(filled))
    return ids.astype(labels.dtype)[filled]


def fill_objects(labels: Any, boxes: Sequence[Box | None]) -> None:
    """Fill holes in place, where labels may lie on a disk: a box at a time is in memory.

    Parameters
    ----------
    labels : array-like
        int32, read and written by slices.
    boxes : sequence of tuple of slice
        The bounding box of each of the objects 1..N; None where there is none.
    """
    for number, box in reversed(list(enumerate(boxes, start=1))):  # one in another's hole takes its own first
        if box is not None:
            part = np.asarray(labels[box])
            holes = _enclosed(part == number) & (part == 0)
            if holes.any():
                labels[box] = np.where(holes, np.int32(number), part)


def _enclosed(area: np.ndarray) -> np.ndarray:
    """Find what lies within an area: as `scipy.ndimage.binary_fill_holes`, faster."""
    outside = components(framed(~area, True).view(np.uint8), diagonal=False)  # 1 from the first corner on
    return outside[INNER[area.ndim]] > 1


def framed(area: np.ndarray, value: bool) -> np.ndarray:
    """Put one pixel of a value around an area: `numpy.pad` takes ten times as long for a small one."""
    larger = np.full([side + 2 for side in area.shape], value)
    larger[INNER[area.ndim]] = area
    return larger
