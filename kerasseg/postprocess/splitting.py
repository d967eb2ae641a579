"""Objects that touch, told apart: by watershed on the distance to their edge, or by a class of boundaries.

The distance watershed looks at each connected component by itself, within its bounding box. So what becomes
of an object does not depend on what else is in the image, and a volume on a disk is split with one component
in memory (see `kerasseg.postprocess.streaming`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from kerasseg.errors import UserError
from kerasseg.postprocess.components import INNER, Box, components, fill_holes, framed, labels
from kerasseg.postprocess.numbering import renumber


def watershed(
    mask: np.ndarray,
    *,
    distance: float = 10.0,
    spacing: tuple[float, ...] | None = None,
    smallest: int = 0,
    fill: bool = False,
) -> np.ndarray:
    """Number the objects of a mask, components cut where they are narrow.

    The landscape is the distance to the component's edge, the seeds are its summits (Vincent and Soille 1991,
    doi:10.1109/34.87344). The edge of the image is an edge of what it cuts.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    distance : float
        Summits nearer to each other than this, along every axis, make one object: about the radius of the
        smallest. In pixels, or in the units of `spacing`.
    spacing : tuple of float, optional
        Size of a pixel along each axis, where it is not a square or a cube.
    smallest : int
        Objects of fewer pixels are dropped, after the cut.
    fill : bool
        Whether holes within a component become part of it, before the cut.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape: 0 for background, 1..N in the order of the first pixels.

    Raises
    ------
    UserError
        If there are not as many spacings as axes.
    """
    numbered = labels(mask, fill=fill)
    count = split_objects(numbered, ndimage.find_objects(numbered), distance, spacing)
    return renumber(numbered, count, smallest)


def split_objects(
    labels: Any, boxes: Sequence[Box], distance: float, spacing: tuple[float, ...] | None
) -> int:
    """Split objects in place, where labels may lie on a disk: a box at a time is in memory.

    Parameters
    ----------
    labels : array-like
        int32, read and written by slices. The first piece keeps its number, others get new ones above N.
    boxes : sequence of tuple of slice
        The bounding box of each of the objects 1..N.
    distance, spacing
        As for `watershed`.

    Returns
    -------
    int
        The highest number now.
    """
    count = len(boxes)
    for number, box in enumerate(boxes, start=1):
        part = np.asarray(labels[box])
        pieces = split(part == number, distance, spacing)
        new = int(pieces.max()) - 1
        if new > 0:
            labels[box] = np.where(pieces > 1, pieces + np.int32(count - 1), part)
            count += new
    return count


def split(area: np.ndarray, distance: float, spacing: tuple[float, ...] | None) -> np.ndarray:
    """Split one component, (Y, X) or (Z, Y, X) bool: int32 pieces 1..n, 0 outside."""
    spacing = spacing or (1.0,) * area.ndim
    if len(spacing) != area.ndim:
        raise UserError(f"a mask of {area.ndim} axes was given {len(spacing)} spacings: {spacing}")
    reach = [max(int(distance / size), 1) for size in spacing]
    if all(side <= most for side, most in zip(area.shape, reach, strict=True)):
        return area.astype(np.int32)  # no room for two summits
    height = ndimage.distance_transform_edt(framed(area, False), sampling=spacing)[INNER[area.ndim]]
    summits = _summits(height, reach)
    if summits.max() < 2:
        return area.astype(np.int32)
    from skimage.segmentation import watershed

    return watershed(-height, summits, mask=area).astype(np.int32)


def _summits(height: np.ndarray, reach: Sequence[int]) -> np.ndarray:
    """Number the highest points within reach; equals within reach of each other are one."""
    highest = ndimage.maximum_filter(height, [2 * most + 1 for most in reach], mode="constant")
    summits = (height == highest) & (height > 0)
    near = ndimage.maximum_filter(summits, [2 * (most // 2) + 1 for most in reach], mode="constant")
    return np.where(summits, components(near.astype(np.uint8), diagonal=True), 0)


def boundary(mask: np.ndarray, *, boundary_id: int = 2, smallest: int = 0, fill: bool = False) -> np.ndarray:
    """Number the objects of a mask whose boundaries are a class of their own.

    The components of all other classes grow into the boundary that they touch, each to the middle.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    boundary_id : int
        The class of the boundaries.
    smallest : int
        Objects of fewer pixels are dropped, grown first.
    fill : bool
        Whether holes within a grown object become part of it.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape: 0 for background and for boundaries without an object, 1..N in the order of
        the first pixels.
    """
    from skimage.segmentation import watershed

    edge = mask == boundary_id
    seeds = labels(np.where(edge, 0, mask))
    level = np.zeros(mask.shape, np.uint8)  # seeds grow at one pace
    grown = watershed(level, seeds, mask=edge | (seeds > 0)).astype(np.int32)
    return renumber(fill_holes(grown) if fill else grown, int(seeds.max(initial=0)), smallest)
