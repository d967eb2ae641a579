"""Outlines along the corners of pixels, as QuPath and ImageJ draw them: a pixel is a square of side 1.

Pixel (0, 0) reaches from 0 to 1. An object is a list of polygons, and a polygon a list of closed rings: its
rim, then its holes. Pixels that touch by a corner alone are polygons of their own, so that no ring crosses or
touches itself: valid by the rules of OGC's simple features. A pixel belongs to a polygon that contains its
centre; at tolerance 0 filling the outlines gives back the very pixels. Whether a centre that lies exactly on
an edge is inside is all in which programs differ: a `FillRule`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from kerasseg.annotations.draw import draw_instance
from kerasseg.annotations.shapes import BACKGROUND_LABEL, Drawing, Drawings, Shape, instances
from kerasseg.annotations.trace import pixels_shape

Polygon = list[np.ndarray]


class FillRule(NamedTuple):
    """To which side of an edge a pixel belongs whose centre lies exactly on it.

    Attributes
    ----------
    first : callable
        From coordinates to the first rows or columns whose centres lie beyond.
    nudge : float, default 0
        What is added to x where an edge crosses the line through a row's centres, against rounding.
    """

    first: Callable[[np.ndarray], np.ndarray]
    nudge: float = 0


# Java's, whose shapes QuPath's objects are: upper and left edges are in (java.awt.Shape, "insideness").
JAVA = FillRule(lambda at: np.ceil(at - 0.5))
# ij.process.PolygonFiller's: lower and right edges are in.
IMAGEJ = FillRule(lambda at: np.floor(at + 0.5), nudge=1e-8)


def trace_rings(mask: np.ndarray, tolerance: float = 0) -> list[Polygon]:
    """Trace an object.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X), bool
        Its pixels.
    tolerance : float, default 0
        Pixels by which an outline may move when corners are left out (Douglas and Peucker,
        doi:10.3138/FM57-6770-U75U-7727); no ring comes to cross another, and none vanishes.

    Returns
    -------
    list of list of numpy.ndarray, shape (N, 2), float64
        Polygons as a rim and its holes. Corners (x, y) from the mask's upper left corner, none repeated; rims
        run clockwise as seen on the screen, holes the other way.
    """
    parts, count = ndimage.label(mask)
    boxes = ndimage.find_objects(parts, count)
    return [_polygon(parts[box] == number, box, tolerance) for number, box in enumerate(boxes, start=1)]


def shape_polygons(shape: Shape, tolerance: float = 0) -> list[Polygon]:
    """Trace a ``mask`` shape; corners count from the image's upper left corner."""
    corner = np.trunc(shape.points[0])
    return [[ring + corner for ring in rings] for rings in trace_rings(shape.mask, tolerance)]


def filled_shape(
    polygons: Sequence[Polygon],
    size: tuple[int, int],
    label: str,
    other: dict,
    rule: FillRule = JAVA,
) -> Shape | None:
    """Hold the pixels of polygons exactly, as a ``mask`` shape; those outside the image are cut off.

    Parameters
    ----------
    polygons : sequence of list of numpy.ndarray, shape (N, 2)
        Each a rim and its holes; they may overlap.
    label : str
        The shape's class.
    other : dict
        What else is known of it.
    rule : FillRule, default JAVA
        Of the program whose polygons they are.

    Returns
    -------
    Shape or None
        None where no pixel's centre lies inside.
    """
    corners = np.concatenate([ring for rings in polygons for ring in rings])
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int), size[::-1])
    if (high <= low).any():
        return None
    box = tuple((high - low)[::-1].tolist())
    filled = np.zeros(box, bool)
    for rings in polygons:
        filled |= fill_rings([ring - low for ring in rings], box, rule)
    rows, columns = np.nonzero(filled)
    if not rows.size:
        return None
    return replace(pixels_shape(rows + low[1], columns + low[0], label), other=other)


def refilled(shape: Shape, size: tuple[int, int], tolerance: float, rule: FillRule = JAVA) -> Shape | None:
    """Return what is left of a ``mask`` shape, if any, when it was outlined and filled again."""
    polygons = shape_polygons(shape, tolerance)
    filled = filled_shape(polygons, size, shape.label, shape.other, rule)
    return replace(filled, plane=shape.plane) if filled else None


def fill_rings(rings: Sequence[np.ndarray], size: tuple[int, int], rule: FillRule = JAVA) -> np.ndarray:
    """Fill the pixels whose centres are inside: those that an odd number of rings go around.

    Parameters
    ----------
    rings : sequence of numpy.ndarray, shape (N, 2)
        Corners (x, y), in any direction; the last is joined to the first.
    size : tuple of int
        Height and width of what is filled, from (0, 0).
    rule : FillRule, default JAVA
        To which side centres on edges belong.

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool
    """
    height, width = size
    toggled = np.zeros((height, width + 1), bool)
    for ring in rings:
        rows, x = _crossings(ring, height, rule)
        columns = rule.first(x + rule.nudge).clip(0, width).astype(np.int64)
        np.logical_xor.at(toggled, (rows, columns), True)
    return np.logical_xor.accumulate(toggled, axis=1)[:, :width]


def _crossings(ring: np.ndarray, height: int, rule: FillRule) -> tuple[np.ndarray, np.ndarray]:
    """Find where a ring crosses the lines through the centres of pixels: their rows, and x."""
    start, end = ring, np.roll(ring, -1, axis=0)
    low, high = (
        rule.first(pick(start[:, 1], end[:, 1])).clip(0, height) for pick in (np.minimum, np.maximum)
    )
    counts = (high - low).astype(np.int64)
    edges = np.repeat(np.arange(len(ring)), counts)
    rows = (
        np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[edges].astype(np.int64)
    )
    (x, y), (dx, dy) = start[edges].T, (end - start)[edges].T
    return rows, x + (rows + 0.5 - y) * dx / dy


def _polygon(part: np.ndarray, box: tuple[slice, slice], tolerance: float) -> Polygon:
    """Trace a part whose pixels are connected by their sides; the rim is the ring of most area."""
    rings = [simple for ring in _corner_rings(part) for simple in _split(ring)]
    areas = [_area(ring) for ring in rings]
    order = sorted(range(len(rings)), key=lambda number: -abs(areas[number]))
    rim, *holes = (
        rings[number] if (areas[number] > 0) == (place == 0) else np.roll(rings[number][::-1], 1, axis=0)
        for place, number in enumerate(order)
    )
    corner = np.array([box[1].start, box[0].start], np.float64)
    return [ring + corner for ring in _simplified(rim, holes, tolerance)]


def _corner_rings(part: np.ndarray) -> list[np.ndarray]:
    """Follow the corners of pixels at which the borders of a part turn; a ring may come to a corner twice.

    OpenCV follows borders through the middles of pixels. Of pixels cut in four, each quarter at a border lies
    at the corner that it goes around, so the quarters' corners are the ring, from its topmost one on.
    """
    quarters = part.repeat(2, axis=0).repeat(2, axis=1).view(np.uint8)
    contours, _ = cv2.findContours(quarters, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = []
    for contour in contours:
        corners = (contour[:, 0] + 1) // 2
        corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
        into, out = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
        ring = corners[(np.sign(into) != np.sign(out)).any(axis=1)]
        rings.append(np.roll(ring, -np.lexsort(ring.T)[0], axis=0))
    return rings


def _split(ring: np.ndarray) -> Iterator[np.ndarray]:
    """Cut a ring in two at every corner that it comes to twice."""
    path: list[tuple[int, int]] = []
    where: dict[tuple[int, int], int] = {}
    for corner in map(tuple, ring.tolist()):
        if corner in where:
            loop = path[where[corner] :]
            yield np.array(loop)
            for gone in loop[1:]:
                del where[gone]
            del path[where[corner] + 1 :]
        else:
            where[corner] = len(path)
            path.append(corner)
    yield np.array(path)


def _area(ring: np.ndarray) -> float:
    """Measure what a ring goes around, negative if it is a hole (Gauss' shoelace)."""
    x, y = ring.T
    return (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _simplified(rim: np.ndarray, holes: list[np.ndarray], tolerance: float) -> Polygon:
    """Leave corners out, as long as no ring comes to cross or touch another or itself."""
    if tolerance == 0:
        return [rim, *holes]
    import shapely  # which most who come here do not need

    polygon = shapely.Polygon(rim, holes).simplify(tolerance)
    return [np.array(ring.coords[:-1]) for ring in (polygon.exterior, *polygon.interiors)]


def pixel_objects(drawing: Drawing) -> Iterator[Shape]:
    """Yield the pixels of each instance, crowd and region to ignore as a ``mask`` shape."""
    held = (draw_instance(shapes, drawing.size) for shapes in instances(drawing.shapes))
    return (shape for shape in held if shape and shape.label != BACKGROUND_LABEL)


def outline_drawings(rule: FillRule, drawings: Drawings, tolerance: float) -> tuple[Drawings, Drawings]:
    """Tell what is to be written, and what is left of it when its outlines are filled by a rule."""
    left = {}
    for name, drawing in drawings.items():
        shapes = (refilled(shape, drawing.size, tolerance, rule) for shape in pixel_objects(drawing))
        left[name] = replace(drawing, shapes=[shape for shape in shapes if shape])
    return drawings, left
