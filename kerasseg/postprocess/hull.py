"""Convex hulls of many objects at once, in whole numbers.

An object's hull follows from the first and the last of its pixels in each row. Both chains of points are
thinned until only the hull's own corners are left, which are few, so that those of an object's parts can be
put together later: the hull of the parts' corners is the hull of the object.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kerasseg.postprocess.numbering import Runs

ROWS = 2**20  # of hulls whose pixels are counted together


class Corners(NamedTuple):
    """Corners on the left of hulls, sorted by object and row, one a row: arrays (P,) int64.

    Those on the right are the same with negated columns.
    """

    objects: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def corners(runs: Runs, rows: np.ndarray, columns: np.ndarray) -> tuple[Corners, Corners]:
    """Find the corners of objects' hulls, the pixels taken as points.

    Parameters
    ----------
    runs : Runs
        Of R stretches of the objects.
    rows, columns : np.ndarray
        (R,) the first pixel of each.

    Returns
    -------
    tuple of Corners
        On the left, and on the right with negated columns.
    """
    return (
        left_corners(Corners(runs.objects, rows, columns)),
        left_corners(Corners(runs.objects, rows, 1 - columns - runs.lengths)),
    )


def left_corners(points: Corners) -> Corners:
    """Keep of points in any order those that are corners on the left of the hulls of their objects.

    A point that lies on or right of the line between two others of its object is no corner. All points are
    held against their neighbours at once; objects that lost some are looked at again.
    """
    order = np.lexsort(points[::-1])
    points = np.array(points, np.int64)[:, order]
    first = np.any(np.diff(points[:2], prepend=-1), axis=0)  # the leftmost in its row
    points, done = points[:, first], []
    while points.size:
        objects, rows, columns = points
        lost = np.zeros(len(objects), bool)
        down, right = (values[1:-1] - values[:-2] for values in (rows, columns))
        far_down, far_right = (values[2:] - values[:-2] for values in (rows, columns))
        lost[1:-1] = (objects[2:] == objects[:-2]) & (right * far_down >= far_right * down)
        open_ = np.isin(objects, objects[lost])
        done.append(points[:, ~open_])
        points = points[:, open_ & ~lost]
    points = np.concatenate([np.zeros((3, 0), np.int64), *done], axis=1)
    return Corners(*points[:, np.argsort(points[0], kind="stable")])


def convex_areas(left: Corners, right: Corners, count: int) -> np.ndarray:
    """Count the pixels in the convex hulls of the objects 0..N-1, as `skimage.morphology.convex_hull_image`.

    There a pixel is the points half a pixel left, right, above and below its centre, and lies in a hull if
    its centre does or is on its border.

    Parameters
    ----------
    left, right : Corners
        As `corners` gives them, together of all parts of the objects, of which each has some.
    count : int
        N.

    Returns
    -------
    np.ndarray
        (N,) int64 pixels.
    """
    if not count:
        return np.zeros(0, np.int64)
    sides = [left_corners(_half_pixels(each)) for each in (left, right)]
    starts = np.searchsorted(sides[0].objects, np.arange(count))
    ends = np.searchsorted(sides[0].objects, np.arange(count), side="right") - 1
    top, bottom = (sides[0].rows[starts] + 1) // 2, (sides[0].rows[ends] - 1) // 2
    heights = bottom - top + 1
    areas = np.zeros(count, np.int64)
    reached = np.cumsum(heights) // ROWS
    for objects in np.split(np.arange(count), np.flatnonzero(np.diff(reached)) + 1):
        each = np.repeat(objects, heights[objects])
        before = np.repeat(np.cumsum(heights[objects]) - heights[objects], heights[objects])
        rows = np.arange(len(each)) - before + top[each]
        first, last = (_first_columns(side, each, rows) for side in sides)
        np.add.at(areas, each, 1 - last - first)
    return areas


def _half_pixels(points: Corners) -> Corners:
    """Take the middles of pixels' edges, in halves of a pixel."""
    objects, rows, columns = points
    steps = ((-1, 0), (0, -1), (1, 0))  # those on the right are no corners on the left
    return Corners(
        np.tile(objects, len(steps)),
        np.concatenate([2 * rows + down for down, _ in steps]),
        np.concatenate([2 * columns + right for _, right in steps]),
    )


def _first_columns(side: Corners, objects: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Find the first pixel of hulls in some of their rows: (Q,) int64."""
    height = side.rows.max() + 2
    before = np.searchsorted(side.objects * height + side.rows, objects * height + 2 * rows, side="right") - 1
    down, right = (np.diff(values, append=0)[before] for values in (side.rows, side.columns))
    halves = side.columns[before] * down + right * (2 * rows - side.rows[before])
    return -(-halves // (2 * down))
