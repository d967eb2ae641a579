"""Outlines of ImageJ's areas as ImageJ 1.53t itself fills them, down to the rounding of its single precision.

What is done here follows ``ij.gui.Roi``, ``OvalRoi``, ``PolygonRoi``, ``EllipseRoi``, ``RotatedRectRoi`` and
``ShapeRoi``, ``ij.measure.SplineFitter``, and Java's own ``RoundRectangle2D`` and ``FlatteningPathIterator``.
Filled by :data:`kerasseg.annotations.rings.IMAGEJ`, the outlines give the pixels of ``ij.gui.Roi.getMask``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kerasseg.annotations.rings import Polygon

if TYPE_CHECKING:
    from roifile import ImagejRoi

_MOVE, _CLOSE = 0, 4  # Java's names for the steps of a path
_COORDINATES = {_MOVE: 2, 1: 2, 2: 4, 3: 6, _CLOSE: 0}  # of a line, a quadratic and a cubic curve too
_FLAT, _HALVINGS = 0.01, 10  # how near to a curve the lines lie that stand for it, or how short they are
_ELLIPSE_CORNERS = 72
_SPLINE_ENDS = 7  # nodes by which a closed spline goes on beyond its ends
_PARAMETER = 52  # where an ellipse's ratio of axes and a rotated rectangle's width are


class Outline(NamedTuple):
    """Rings that are filled by the even-odd rule, and (x, y) from which on ImageJ fills nothing."""

    rings: Polygon
    stop: tuple[float, float] = (math.inf, math.inf)


def outline(roi: ImagejRoi, content: bytes) -> Outline:
    """Outline an area.

    Parameters
    ----------
    roi : roifile.ImagejRoi
        A polygon, with or without a fitted spline; a freehand or traced selection; a rectangle, rounded,
        rotated or not; an oval; an ellipse; or a composite.
    content : bytes
        What it was read from: roifile does not tell all numbers.

    Returns
    -------
    Outline
        Corners (x, y) in pixels, float64.

    Raises
    ------
    ValueError
        If it has no corners, or they are not numbers.
    """
    from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE

    if roi.composite:
        return Outline(_along_path(roi.multi_coordinates))
    if roi.roitype == ROI_TYPE.OVAL:
        return Outline([_oval(*_box(roi))])
    if roi.roitype == ROI_TYPE.RECT:
        return Outline([_rectangle(*_box(roi), diameter=roi.rounded_rect_arc_size)])
    if roi.subtype in (ROI_SUBTYPE.ELLIPSE, ROI_SUBTYPE.ROTATED_RECT):
        x1, y1, x2, y2 = np.array([roi.x1, roi.y1, roi.x2, roi.y2], np.float64)
        (parameter,) = struct.unpack_from(">f", content, _PARAMETER)
        corners = _ellipse if roi.subtype == ROI_SUBTYPE.ELLIPSE else _rotated_rectangle
        return _rounded_to_box(corners(x1, y1, x2, y2, parameter))
    corners = roi.coordinates()
    if not len(corners):
        raise ValueError("it has no corners")
    if not roi.options & ROI_OPTIONS.SPLINE_FIT:
        return Outline([_in_single_precision(corners)])
    if roi.roitype != ROI_TYPE.POLYGON:
        raise ValueError("it is a spline through a freehand selection; fit it to a polygon instead")
    return Outline([_spline(corners)])


def _finite(corners: np.ndarray) -> np.ndarray:
    if not np.isfinite(corners).all():
        raise ValueError("a corner is NaN or infinite")
    return corners


def _in_single_precision(corners: np.ndarray) -> np.ndarray:
    """Count corners that are not whole from the least of them in 32 bits, as a ``PolygonRoi`` does."""
    given = _finite(corners).astype(np.float32)
    if np.issubdtype(corners.dtype, np.integer):
        return corners.astype(np.float64)
    low = given.min(axis=0)
    return (given - low).astype(np.float64) + low


def _rounded_to_box(corners: np.ndarray) -> Outline:
    """Count corners from a whole number; a last row or column of less than half a pixel is cut off."""
    given = _finite(corners).astype(np.float32)
    low = np.floor(given.min(axis=0))
    stop = low + np.floor(given.max(axis=0) - low + 0.5)
    return Outline([(given - low).astype(np.float64) + low], tuple(stop.tolist()))


def _box(roi: ImagejRoi) -> tuple[int, int, int, int]:
    """Find left, top, width and height, of which ImageJ takes whole numbers to fill."""
    if not roi.subpixelrect:
        return roi.left, roi.top, max(roi.right - roi.left, 1), max(roi.bottom - roi.top, 1)
    x, y, width, height = _finite(np.array([roi.xd, roi.yd, roi.widthd, roi.heightd]))
    return int(x), int(y), max(math.ceil(width), 1), max(math.ceil(height), 1)


def _rectangle(left: int, top: int, width: int, height: int, diameter: int) -> np.ndarray:
    corner = np.array([left, top], np.float64)
    if diameter <= 0:
        return np.array([[0, 0], [width, 0], [width, height], [0, height]]) + corner
    size = np.array([width, height], np.float64)
    across = np.minimum(diameter, size)
    bulge = 4 / 3 * (1 - math.cos(math.pi / 4)) * math.tan(math.pi / 4)
    bulge /= math.sqrt(2) - math.cos(math.pi / 4)
    near, far = across * (1 - bulge) / 2, across / 2
    quarter = np.array([[0, far[1]], [0, near[1]], [near[0], 0], [far[0], 0]])
    turns = [quarter, quarter[::-1] * (-1, 1) + (width, 0)]
    turns += [size - quarter, quarter[::-1] * (1, -1) + (0, height)]
    curves = (_flattened(turn.astype(np.float32).astype(np.float64)) for turn in turns)
    corners = [[turn[0], *curve] for turn, curve in zip(turns, curves, strict=True)]
    return np.concatenate(corners).astype(np.float32).astype(np.float64) + corner


def _oval(left: int, top: int, width: int, height: int) -> np.ndarray:
    """Outline an oval along its very pixels: those whose centres are in the ellipse, its border included."""
    y = np.arange(height) - (height / 2 - 0.5)
    across, down = (width / 2) ** 2, (height / 2) ** 2
    reach = np.sqrt(np.maximum(across * (1 - y * y / down), 0))
    near = np.ceil(width / 2 - 0.5 - reach) + np.array([[1], [0], [-1]])  # the root may be rounded either way
    x = near - (width / 2 - 0.5)
    inside = x * x / across + y * y / down <= 1
    start = np.where(inside, near, width / 2).min(axis=0).clip(0)
    rows = np.repeat(np.arange(height + 1), 2)[1:-1]
    sides = [np.stack([np.repeat(side, 2), rows], axis=1) for side in (start, width - start)]
    return np.concatenate([sides[0], sides[1][::-1]]) + np.array([left, top])


def _ellipse(x1: float, y1: float, x2: float, y2: float, ratio: float) -> np.ndarray:
    """Place corners evenly around an ellipse whose long axis goes from one point to the other."""
    turn = np.arange(_ELLIPSE_CORNERS) * 360.0 / _ELLIPSE_CORNERS / 180 * np.pi
    long = math.hypot(x2 - x1, y2 - y1)
    x, y = np.cos(turn) * long / 2, np.sin(turn) * long * min(max(ratio, 0), 1) / 2
    angle = np.arctan2(y, x) + math.atan2(y2 - y1, x2 - x1)
    radius = np.sqrt(x * x + y * y)
    return np.stack([np.cos(angle) * radius + (x1 + x2) / 2, np.sin(angle) * radius + (y1 + y2) / 2], axis=1)


def _rotated_rectangle(x1: float, y1: float, x2: float, y2: float, width: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):  # Java's atan knows what infinity means
        angle = np.arctan(np.float64(x2 - x1) / np.float64(y2 - y1))
    side = width / 2 * np.array([np.sin(np.pi / 2 + angle), np.cos(np.pi / 2 + angle)])
    start, end = np.array([x1, y1]), np.array([x2, y2])
    return np.array([start + side, end + side, end - side, start - side])


def _along_path(path: np.ndarray | None) -> Polygon:
    """Follow a composite's path, whose curves become lines, from the corner of its box in 32 bits."""
    steps = [] if path is None else list(_steps(path.tolist()))
    points = np.array([number for _, part in steps for number in part]).reshape(-1, 2)
    if not points.size:
        raise ValueError("it has no corners")
    low = np.floor(_finite(points).min(axis=0))
    points = (points - low).astype(np.float32).astype(np.float64)
    rings: list[list[np.ndarray]] = []
    start = 0
    for kind, part in steps:
        corners = points[start : start + len(part) // 2]
        start += len(corners)
        if kind == _MOVE or not rings:
            rings.append([])
        if len(corners) > 1 and rings[-1]:
            corners = np.array(_flattened(np.concatenate([rings[-1][-1][-1:], corners])))
        if len(corners):
            rings[-1].append(corners)
    return [np.concatenate(ring).astype(np.float32).astype(np.float64) + low for ring in rings if ring]


def _steps(numbers: list[float]) -> Iterator[tuple[int, list[float]]]:
    """Part a path's numbers into steps and the x, y, ... that belong to each."""
    start = 0
    while start < len(numbers):
        kind = numbers[start]
        if kind not in _COORDINATES:
            raise ValueError(f"its path has a step {kind:g}; expected 0 to 4")
        part = numbers[start + 1 : start + 1 + _COORDINATES[kind]]
        if len(part) < _COORDINATES[kind]:
            return  # cut off, which ImageJ leaves out
        yield int(kind), part
        start += 1 + len(part)


def _flattened(curve: np.ndarray, halvings: int = _HALVINGS) -> list[np.ndarray]:
    """Turn a Bezier curve into the ends of lines, halving it (de Casteljau) until it is flat."""
    if halvings == 0 or max(_distance(point, curve[0], curve[-1]) for point in curve[1:-1]) < _FLAT:
        return [curve[-1]]
    levels = [curve]
    while len(levels[-1]) > 1:
        levels.append((levels[-1][:-1] + levels[-1][1:]) / 2)
    first = np.array([level[0] for level in levels])
    second = np.array([level[-1] for level in reversed(levels)])
    return _flattened(first, halvings - 1) + _flattened(second, halvings - 1)


def _distance(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Measure how far a point is from a line between two others."""
    along = end - start
    length = float(along @ along)
    share = min(max(float((point - start) @ along) / length, 0), 1) if length else 0
    return math.dist(point, start + share * along)


def _spline(corners: np.ndarray) -> np.ndarray:
    """Evaluate the closed cubic spline that ImageJ fits through a polygon's corners, where ImageJ does."""
    given = _finite(corners).astype(np.float32)
    low = given.min(axis=0)
    nodes = np.concatenate([given - low, given[:1] - low])
    steps = np.diff(nodes, axis=0)
    length = np.sqrt((steps.astype(np.float64) ** 2).sum(axis=1)).sum()
    squares = (steps * steps).sum(axis=1, dtype=np.float32).astype(np.float64)
    moves = np.maximum(np.sqrt(np.sqrt(squares)).astype(np.float32), np.float32(0.001))
    position = np.concatenate([[0], np.add.accumulate(moves, dtype=np.float32)]).astype(np.float32)
    count = max(100, int(length / 2))
    wanted = np.arange(count) * (float(position[-1]) / (count - 1))
    ends = min(_SPLINE_ENDS, len(nodes) - 1)
    around = np.concatenate(
        [
            position[-1 - ends : -1] - position[-1],
            position,
            position[1 : 1 + ends] - position[0] + position[-1],
        ]
    )
    repeated = np.concatenate([nodes[-1 - ends : -1], nodes, nodes[1 : 1 + ends]])
    fitted = [_interpolated(around, axis, wanted) for axis in repeated.T]
    return _in_single_precision(np.stack(fitted, axis=1).astype(np.float32) + low)


def _interpolated(x: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Evaluate the natural cubic spline through nodes, float32, at positions; ``ij.measure.SplineFitter``."""
    exact, values = x.astype(np.float64), y.astype(np.float64)
    between, around = np.diff(x).astype(np.float64), (x[2:] - x[:-2]).astype(np.float64)
    slopes = np.diff(values) / between
    bend, rest = np.zeros(len(x)), np.zeros(len(x))
    for i in range(1, len(x) - 1):
        share = (exact[i] - exact[i - 1]) / (exact[i + 1] - exact[i - 1])
        pivot = share * bend[i - 1] + 2
        bend[i] = (share - 1) / pivot
        rest[i] = (6 * (slopes[i] - slopes[i - 1]) / around[i - 1] - share * rest[i - 1]) / pivot
    bend[-1] = 0
    for i in range(len(x) - 2, -1, -1):
        bend[i] = bend[i] * bend[i + 1] + rest[i]
    node = (np.searchsorted(exact, wanted, side="right") - 1).clip(0, len(x) - 2)
    a, b = (exact[node + 1] - wanted) / between[node], (wanted - exact[node]) / between[node]
    bent = (a**3 - a) * bend[node] + (b**3 - b) * bend[node + 1]
    return a * values[node] + b * values[node + 1] + bent * between[node] ** 2 / 6
