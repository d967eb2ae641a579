"""Objects that touch, told apart: by watershed on the distance to their edge, or by a class of boundaries.

The distance is that of the mask alone, or is multiplied by a landscape that a network has learnt. Both
watersheds look at each connected component by itself, within its bounding box. So what becomes of an object
does not depend on what else is in the image, and a volume on a disk is split with one component in memory
(see `kerasseg.postprocess.streaming`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from kerasseg.errors import UserError
from kerasseg.images.label_ids import consecutive
from kerasseg.postprocess.components import INNER, Box, components, fill_holes, framed, labels
from kerasseg.postprocess.numbering import renumber

HIGHEST = 254
"""A landscape where it is 1: as bytes it has 255 levels, and 255 marks what is to be ignored."""

SMOOTHING = 1.0  # pixels, standard deviation
LEVELS = 1000  # of a unit of the logarithm of heights, so that summits are compared in whole numbers

Divide = Callable[[np.ndarray, Box], np.ndarray]


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
    return _divided(mask, by_distance(distance, spacing), smallest, fill)


def deep_watershed(
    mask: np.ndarray,
    landscape: np.ndarray,
    *,
    depth: float = 0.15,
    summit: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    smallest: int = 0,
    fill: bool = False,
) -> np.ndarray:
    """Number the objects of a mask, components cut where they are narrow and a learnt landscape is low.

    The height of a pixel is the distance to the component's edge times the learnt landscape. A summit is an
    object's if one must come down from it by a share `depth` of its height to reach a higher one: the
    summits are the h-maxima of the heights' logarithm. So no size of the objects has to be said.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    landscape : np.ndarray
        uint8 of the same shape, 0 to `HIGHEST`: what a network says of what `landscape` draws.
    depth : float
        Above 0 and below 1; the larger, the fewer objects.
    summit : float
        From 0 to 1: objects whose landscape is nowhere as high are dropped, as nothing in them looks like the
        middle of one.
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

    References
    ----------
    Naylor et al., "Segmentation of nuclei in histopathology images by deep regression of the distance map",
    2019, doi:10.1109/TMI.2018.2865709; Bai and Urtasun, "Deep watershed transform for instance segmentation",
    2017, doi:10.1109/CVPR.2017.305.
    """
    return _divided(mask, by_landscape(landscape, depth, summit, spacing), smallest, fill)


def _divided(mask: np.ndarray, divide: Divide, smallest: int, fill: bool) -> np.ndarray:
    """Number the components of a mask, each divided into objects."""
    numbered = labels(mask, fill=fill)
    count = split_objects(numbered, ndimage.find_objects(numbered), divide)
    return renumber(numbered, count, smallest)


def landscape(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Draw what a network is to learn: how deep within its object each pixel lies.

    Parameters
    ----------
    labels : np.ndarray
        (Y, X) or (Z, Y, X) int32, one id an object, 0 for background.
    spacing : tuple of float, optional
        Size of a pixel along each axis.

    Returns
    -------
    np.ndarray
        uint8 of the same shape: the distance to the object's edge as a share of the object's greatest, by
        `HIGHEST`; 0 for background. An object that the image cuts is taken to end there.

    Examples
    --------
    >>> landscape(np.array([[0, 1, 1, 1, 2]] * 3, np.int32)).tolist()[1]
    [0, 127, 254, 127, 254]
    """
    ids, numbers = consecutive(labels)
    heights = np.zeros(labels.shape, np.uint8)
    for number, box in enumerate(ndimage.find_objects(numbers, len(ids) - 1), start=1):
        if box is not None:  # ids may leave gaps
            area = numbers[box] == number
            distance = _distance(area, spacing)
            heights[box][area] = np.rint(distance[area] * (HIGHEST / distance.max()))
    return heights


def as_heights(probabilities: np.ndarray) -> np.ndarray:
    """Bring a network's landscape from [0, 1] to uint8, 0 to `HIGHEST`."""
    return np.rint(probabilities * np.float32(HIGHEST)).astype(np.uint8)


def split_objects(labels: Any, boxes: Sequence[Box], divide: Divide) -> int:
    """Split objects in place, where labels may lie on a disk: a box at a time is in memory.

    Parameters
    ----------
    labels : array-like
        int32, read and written by slices. The first piece keeps its number, others get new ones above N.
    boxes : sequence of tuple of slice
        The bounding box of each of the objects 1..N.
    divide : callable
        From where in its box an object lies, bool, and the box to its pieces: int32 1..n, 0 outside and where
        there is to be nothing.

    Returns
    -------
    int
        The highest number now.
    """
    count = len(boxes)
    for number, box in enumerate(boxes, start=1):
        part = np.asarray(labels[box])
        area = part == number
        pieces = divide(area, box)
        if not np.array_equal(pieces, area):
            highest = count + max(int(pieces.max()) - 1, 0)
            numbers = np.array([0, number, *range(count + 1, highest + 1)], np.int32)
            labels[box] = np.where(area, numbers[pieces], part)
            count = highest
    return count


def by_distance(distance: float, spacing: tuple[float, ...] | None) -> Divide:
    """Divide a component by its shape: see `watershed`."""

    def divide(area: np.ndarray, box: Box) -> np.ndarray:
        sizes = spacing or (1.0,) * area.ndim
        _check(sizes, area)
        reach = [max(int(distance / size), 1) for size in sizes]
        if all(side <= most for side, most in zip(area.shape, reach, strict=True)):
            return area.astype(np.int32)  # no room for two summits
        height = _distance(area, sizes)
        return _flooded(height, _summits(height, reach), area)

    return divide


def by_landscape(landscape: Any, depth: float, summit: float, spacing: tuple[float, ...] | None) -> Divide:
    """Divide a component by its shape and a landscape, which may lie on a disk: see `deep_watershed`."""

    def divide(area: np.ndarray, box: Box) -> np.ndarray:
        _check(spacing or area.shape, area)
        learnt = np.asarray(landscape[box])
        # One level more, so that every pixel of a component has a height.
        height = _distance(area, spacing) * (learnt + 1.0)
        height = ndimage.gaussian_filter(height, SMOOTHING, mode="constant")
        pieces = _flooded(height, _deep_summits(height, area, depth), area)
        highest = ndimage.maximum(learnt, pieces, np.arange(pieces.max() + 1))
        kept = np.asarray(highest) >= summit * HIGHEST
        kept[0] = False
        return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[pieces]

    return divide


def _check(spacing: tuple[float, ...], area: np.ndarray) -> None:
    if len(spacing) != area.ndim:
        raise UserError(f"a mask of {area.ndim} axes was given {len(spacing)} spacings: {spacing}")


def _distance(area: np.ndarray, spacing: tuple[float, ...] | None) -> np.ndarray:
    """Measure how far from the next pixel outside each pixel lies; beyond the box all is outside."""
    return ndimage.distance_transform_edt(framed(area, False), sampling=spacing)[INNER[area.ndim]]


def _flooded(height: np.ndarray, summits: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Give each pixel of a component to a summit 1..n, the valleys between them being the cuts."""
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


def _deep_summits(height: np.ndarray, area: np.ndarray, depth: float) -> np.ndarray:
    """Number the summits from which every way to a higher one goes down by a share of their height."""
    from skimage.morphology import local_maxima, reconstruction

    logarithm = np.log(height, where=area, out=np.zeros(height.shape))
    levels = np.where(area, np.rint((logarithm - logarithm.min() + 1) * LEVELS), 0)
    fall = round(-math.log1p(-depth) * LEVELS)
    lowered = reconstruction(np.maximum(levels - fall, 0), levels)
    return components(local_maxima(lowered).view(np.uint8), diagonal=True)


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
