"""Mask to labels: every connected component is an object, and objects are numbered by their first pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cc3d
import numpy as np
from scipy import ndimage

from kerasseg.images.label_ids import consecutive
from kerasseg.images.masks import IGNORE

Box = tuple[slice, ...]
CONNECTIVITIES = {2: (4, 8), 3: (6, 18, 26)}
"""How many neighbours a pixel has, by the number of axes."""

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
    return connected(without_ignored(mask), CONNECTIVITIES[mask.ndim][-1 if diagonal else 0])


def without_ignored(mask: np.ndarray) -> np.ndarray:
    """Make background of the pixels that are to be ignored; a mask without any is given as it is."""
    return np.where(mask == IGNORE, 0, mask) if mask.max(initial=0) == IGNORE else mask


def connected(values: np.ndarray, connectivity: int, delta: int = 0) -> np.ndarray:
    """Number the connected components of an image of values.

    Parameters
    ----------
    values : np.ndarray
        (Y, X) or (Z, Y, X) unsigned integers, 0 for background; it may be read-only.
    connectivity : {4, 8, 6, 18, 26}
        How many neighbours a pixel has; the first two in an image, the others in a volume.
    delta : int
        Neighbours are connected whose values differ by no more than this; background is connected with
        nothing.

    Returns
    -------
    np.ndarray
        int32 of the same shape: 0 for background, 1..N in the order of the first pixels.
    """
    writeable = np.require(values, requirements="CW")  # cc3d numbers in memory's order, and refuses read-only
    volume = writeable if values.ndim == 3 else writeable[np.newaxis]  # cc3d 4.1 errs in images with a delta
    three = {4: 6, 8: 26}.get(connectivity, connectivity)
    ids = cc3d.connected_components(volume, connectivity=three, delta=delta, out_dtype=np.uint32)
    return ids.view(np.int32).reshape(values.shape)


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
