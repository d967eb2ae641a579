"""Two conventions of what a point means, and the polygons of the one that labelme does not know.

labelme counts the *centres* of pixels: (0, 0) is the middle of the first one, and a drawn outline belongs
to the object, so that a square from (2, 2) to (11, 11) has 100 pixels. COCO, GeoJSON and ImageJ count their
*corners*: (0, 0) is the upper left corner of the first pixel, and the same 100 pixels are the square from
(2, 2) to (12, 12). Moving points by half a pixel turns one into the other only where no outline is slanted,
so nothing here does that: an outline is filled by the rule of its own format, and pixels are outlined by
the rule of another.

===================  =============================================  ========================================
points               filled by                                      outlined by
===================  =============================================  ========================================
centres              :mod:`kerasseg.annotations.draw`               :mod:`kerasseg.annotations.trace`
corners, COCO        here                                           :mod:`kerasseg.annotations.rings`
corners, the others  :mod:`kerasseg.annotations.rings`              :mod:`kerasseg.annotations.rings`
===================  =============================================  ========================================

COCO's rule is that of ``rleFrPoly`` in pycocotools 2.0: an outline is walked in steps of a fifth of a
pixel, and a column of pixels changes sides where the walk passes its middle. Only those steps are worked
out here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from kerasseg.annotations.shapes import CORNER_POLYGON, Shape
from kerasseg.annotations.trace import box_shape

STEPS = 5  # of COCO's walk, along the side of a pixel
_MIDDLE = STEPS // 2  # the step before the middle of a pixel


def as_pixels(shapes: Iterable[Shape], size: tuple[int, int]) -> list[Shape]:
    """Replace COCO's polygons by ``mask`` shapes of their pixels; all other shapes stay as they are.

    Returns
    -------
    list of Shape
        In the same order, but without polygons that hold no pixel.
    """
    shapes = list(shapes)
    polygons = [shape for shape in shapes if shape.shape_type == CORNER_POLYGON]
    filled = iter(fill([shape.points for shape in polygons], size))
    held = (
        _with_pixels(shape, next(filled)) if shape.shape_type == CORNER_POLYGON else shape for shape in shapes
    )
    return [shape for shape in held if shape is not None]


def _with_pixels(shape: Shape, filled: tuple[np.ndarray, tuple[slice, slice]] | None) -> Shape | None:
    if filled is None:
        return None
    held = box_shape(*filled, shape.label)
    return replace(shape, points=held.points, shape_type="mask", mask=held.mask)


def fill(
    polygons: Sequence[np.ndarray], size: tuple[int, int]
) -> list[tuple[np.ndarray, tuple[slice, slice]] | None]:
    """Fill polygons as pycocotools does.

    Parameters
    ----------
    polygons : sequence of numpy.ndarray, shape (N, 2), float64
        Corners (x, y) in pixels from the image's upper left corner; the last is joined to the first. They may
        lie outside the image.

    Returns
    -------
    list of (numpy.ndarray, tuple of slice) or None
        For each polygon its pixels, bool (Y, X), and the rows and columns of the image in which these lie;
        None where it has no pixel. A box is as small as can be.
    """
    if not polygons:
        return []
    owners, columns, rows = _changes(polygons, size)
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(len(polygons) + 1))
    return [
        _toggled(columns[part], rows[part])
        for part in (order[start:stop] for start, stop in itertools.pairwise(starts))
    ]


def _changes(
    polygons: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where columns of pixels change sides: of which polygon, in which column, from which row on."""
    lengths = np.array([len(polygon) for polygon in polygons])
    steps = np.trunc(STEPS * np.concatenate(polygons) + 0.5)
    ends = np.arange(1, lengths.sum() + 1)
    ends[np.cumsum(lengths) - 1] = np.cumsum(lengths) - lengths  # the last corner is joined to the first
    start, end, owner = steps, steps[ends], np.repeat(np.arange(len(polygons)), lengths)
    dx, dy = np.abs(end - start).T
    shallow = dx >= dy
    turned = np.where(shallow, start[:, 0] > end[:, 0], start[:, 1] > end[:, 1])[:, None]
    start, end = np.where(turned, end, start), np.where(turned, start, end)

    # Each pair of steps between which an edge passes the middle of a column: the step before it is 5 x + 2.
    low, high = np.sort([start[:, 0], end[:, 0]], axis=0)
    first = np.maximum(np.ceil((low - _MIDDLE) / STEPS), 0)
    stop = np.clip(np.ceil((high - _MIDDLE) / STEPS), first, size[1])
    counts = np.maximum(stop - first, 0).astype(np.int64)
    edge = np.repeat(np.arange(len(start)), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    before = STEPS * column + _MIDDLE

    start, end, shallow, dx, dy = start[edge], end[edge], shallow[edge], dx[edge], dy[edge]
    y = np.where(shallow, _lower_step(start, end, dx, before), _crossing_step(start, end, dy, before))
    row = np.ceil(np.clip((y + 0.5) / STEPS - 0.5, 0, size[0]))
    return owner[edge], column.astype(np.int64), row.astype(np.int64)


def _lower_step(start: np.ndarray, end: np.ndarray, dx: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Take the smaller y of two steps of an edge that is walked along x."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (end[:, 1] - start[:, 1]) / dx
        from_start = before - start[:, 0]
        return np.minimum(
            *(np.trunc(start[:, 1] + slope * step + 0.5) for step in (from_start, from_start + 1))
        )


def _crossing_step(start: np.ndarray, end: np.ndarray, dy: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Find the y of the last step before x passes a middle, of an edge that is walked along y."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (end[:, 0] - start[:, 0]) / dy
        near = np.floor((before + 0.5 - start[:, 0]) / slope)
        crossing = near
        for step in (near - 1, near + 1, near):  # which it is, is decided by the walk's own rounding
            x, following = (np.trunc(start[:, 0] + slope * position + 0.5) for position in (step, step + 1))
            crossing = np.where((np.minimum(x, following) == before) & (x != following), step, crossing)
        return start[:, 1] + crossing


def _toggled(columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]] | None:
    """Fill what lies between the changes of each column."""
    if not columns.size:
        return None
    left, top = int(columns.min()), int(rows.min())
    toggled = np.zeros((rows.max() - top + 1, columns.max() - left + 1), bool)
    np.logical_xor.at(toggled, (rows - top, columns - left), True)
    pixels = np.logical_xor.accumulate(toggled, axis=0)
    across, down = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    if not across.size:
        return None
    inner = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)
    box = slice(top + inner[0].start, top + inner[0].stop), slice(left + inner[1].start, left + inner[1].stop)
    return pixels[inner], box
