"""Pixels to shapes: masks and labels become outlines that a person can edit.

An outline runs through the centres of the border's pixels. At tolerance 0 drawing it gives back the very
pixels; otherwise corners are left out as long as the outline moves by at most that many pixels (Douglas and
Peucker, doi:10.3138/FM57-6770-U75U-7727). Parts of one instance are polygons under one ``group_id``. An
instance with holes, which polygons cannot have, stays a ``mask`` shape with all its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from scipy import ndimage

from kerasseg.annotations.shapes import IGNORE_LABEL, Shape
from kerasseg.images.label_ids import consecutive
from kerasseg.images.masks import IGNORE

TOLERANCE = 0.5  # pixels


def trace_labels(
    labels: np.ndarray, label_of: Callable[[int], str], tolerance: float = TOLERANCE
) -> list[Shape]:
    """Trace each instance.

    Parameters
    ----------
    labels : numpy.ndarray, shape (Y, X), integer
        Instance ids; 0 is background.
    label_of : callable
        Gives the name of an instance's class by its id.
    tolerance : float, default 0.5
        Pixels by which an outline may move; 0 keeps every pixel.

    Returns
    -------
    list of Shape
        Polygons, those of one instance under one ``group_id``, and ``mask`` shapes where there are holes.
    """
    return outline(label_shapes(labels, label_of), tolerance)


def mask_shapes(mask: np.ndarray, classes: Sequence[str]) -> list[Shape]:
    """Hold each connected component of each class exactly, as a ``mask`` shape.

    Components are connected by sides and corners. The mask is (Y, X) uint8 of class ids, `classes` are the
    names of 1, 2, ...; pixels of 255 are ``__ignore__``.
    """
    names = dict(enumerate(classes, start=1)) | {IGNORE: IGNORE_LABEL}
    shapes = []
    for value in np.unique(mask[mask > 0]).tolist():
        components = cv2.connectedComponents((mask == value).astype(np.uint8), connectivity=8)[1]
        shapes += label_shapes(components, lambda _, name=names[value]: name)
    return shapes


def label_shapes(labels: np.ndarray, label_of: Callable[[int], str]) -> list[Shape]:
    """Hold each instance exactly, as a ``mask`` shape; see :func:`trace_labels`."""
    return [box_shape(labels[box] == number, box, label_of(number)) for number, box in label_boxes(labels)]


def label_boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Find the ids of instances, in their order, and the box of rows and columns in which each lies."""
    ids, numbers = consecutive(labels)
    boxes = zip(ids[1:].tolist(), ndimage.find_objects(numbers), strict=True)
    return ((number, box) for number, box in boxes if box is not None)


def pixels_shape(rows: np.ndarray, columns: np.ndarray, label: str) -> Shape:
    """Hold one instance exactly, as a ``mask`` shape, at the cost of its own box and not of its image's.

    Parameters
    ----------
    rows, columns : numpy.ndarray, shape (N,), int64
        Where its pixels lie; at least one.
    label : str
        Its class.
    """
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in (rows, columns))
    mask = np.zeros([part.stop - part.start for part in box], bool)
    mask[rows - box[0].start, columns - box[1].start] = True
    return box_shape(mask, box, label)


def outline(shapes: Iterable[Shape], tolerance: float = TOLERANCE) -> list[Shape]:
    """Turn ``mask`` shapes without holes into polygons; all other shapes stay as they are.

    Parameters
    ----------
    tolerance : float, default 0.5
        Pixels by which an outline may move; 0 keeps every pixel.
    """
    shapes = list(shapes)
    free = max((shape.group_id for shape in shapes if shape.group_id is not None), default=0) + 1
    outlined = []
    for group_id, shape in enumerate(shapes, start=free):
        outlined += mask_polygons(shape, tolerance, group_id) if shape.shape_type == "mask" else [shape]
    return outlined


def box_shape(pixels: np.ndarray, box: tuple[slice, slice], label: str) -> Shape:
    """Hold one instance exactly, as a ``mask`` shape: its pixels ``(Y, X)`` in a box of rows and columns."""
    rows, columns = box
    points = np.array([[columns.start, rows.start], [columns.stop - 1, rows.stop - 1]], np.float64)
    return Shape(label, points, "mask", mask=pixels)


def mask_polygons(shape: Shape, tolerance: float, group_id: int) -> list[Shape]:
    """Outline the parts of one ``mask`` shape; they need a group if they are several and have none."""
    padded = np.pad(shape.mask, 1).astype(np.uint8)
    contours, hierarchy = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours or (hierarchy[0][:, 3] >= 0).any():
        return [shape]
    group = group_id if len(contours) > 1 and shape.group_id is None else shape.group_id
    corner = np.trunc(shape.points[0]) - 1  # the padding's pixel
    outlines = [_simplified(contour, tolerance) + corner for contour in contours]
    return [replace(shape, points=p, shape_type="polygon", mask=None, group_id=group) for p in outlines]


def _simplified(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """Leave corners out; a spot or line of fewer than three repeats its own, as a polygon needs them."""
    corners = cv2.approxPolyDP(contour, tolerance, closed=True) if tolerance > 0 else contour
    return np.resize(corners.reshape(-1, 2), (max(3, len(corners)), 2)).astype(np.float64)
