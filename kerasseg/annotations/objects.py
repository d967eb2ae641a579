"""Instance labels to the files in which other programs look at objects, for images of any size.

Labels are read a band of rows at a time to find where each object lies, and then object by object; objects
are written one after another. What is in memory is a band, one object's box, and four numbers an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import coco, geojson, imagej, labelme
from kerasseg.annotations.shapes import SCORE, Drawing, Shape
from kerasseg.annotations.trace import TOLERANCE, box_shape, label_boxes, mask_polygons
from kerasseg.errors import UserError, unknown

BAND = 512  # rows
SUFFIXES = {"labelme": ".json", "coco": ".json", "geojson": ".geojson", "imagej": ".zip"}


def write_objects(
    path: Path,
    labels: np.ndarray,
    classes_of: Mapping[int, str],
    format: str,
    *,
    image: str,
    classes: Sequence[str] = (),
    scores: Mapping[int, float] | None = None,
    tolerance: float = TOLERANCE,
) -> int:
    """Write the objects of an image.

    Parameters
    ----------
    path : Path
        The file to appear; see `SUFFIXES`.
    labels : array, shape (Y, X), int32
        Instance ids; 0 is background. Anything that gives an array for a region will do: a memory map, an
        array in a Zarr store.
    classes_of : mapping of int to str
        The class of each instance.
    format : {"labelme", "coco", "geojson", "imagej"}
        labelme's JSON, COCO's JSON (run lengths), QuPath's GeoJSON (detections), or a zip of ImageJ's ROIs.
    image : str
        Name of the image, beside which labelme looks for it.
    classes : sequence of str, optional
        Names of the classes 1, 2, ..., which have their numbers and colours from this order; all in
        `classes_of`, sorted, by default.
    scores : mapping of int to float, optional
        How sure the program was of each instance.
    tolerance : float, default 0.5
        Pixels by which an outline may move; 0 keeps every pixel, and so does COCO always.

    Returns
    -------
    int
        How many objects were written.

    Raises
    ------
    UserError
        If the format is unknown, or the file cannot be written.
    """
    if format not in WRITERS:
        raise UserError(unknown("format", format, WRITERS))
    classes = list(classes) or sorted(set(classes_of.values()))
    boxes = object_boxes(labels)
    objects = (_object(labels, at, box, classes_of, scores or {}) for at, box in sorted(boxes.items()))
    size = (int(labels.shape[0]), int(labels.shape[1]))
    WRITERS[format](Path(path), image, size, objects, classes, tolerance=tolerance)
    return len(boxes)


def object_boxes(labels: np.ndarray, band: int = BAND) -> dict[int, tuple[slice, slice]]:
    """Find the box of each object, reading `band` rows at a time.

    Parameters
    ----------
    labels : array, shape (Y, X), integer
        Instance ids; 0 is background.
    band : int, default 512
        Rows to read at a time.

    Returns
    -------
    dict of int to tuple of slice
        Rows and columns by instance id.
    """
    boxes: dict[int, tuple[slice, slice]] = {}
    for top in range(0, labels.shape[0], band):
        for at, (rows, columns) in label_boxes(np.asarray(labels[top : top + band])):
            rows = slice(rows.start + top, rows.stop + top)
            boxes[at] = _joined(boxes[at], (rows, columns)) if at in boxes else (rows, columns)
    return boxes


def _joined(one: tuple[slice, slice], other: tuple[slice, slice]) -> tuple[slice, slice]:
    pairs = zip(one, other, strict=True)
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs)
    return rows, columns


def _object(
    labels: np.ndarray,
    at: int,
    box: tuple[slice, slice],
    classes_of: Mapping[int, str],
    scores: Mapping[int, float],
) -> Shape:
    shape = box_shape(np.asarray(labels[box]) == at, box, classes_of[at])
    if at in scores:
        shape.other[SCORE] = float(scores[at])
    return shape


def _write_labelme(
    path: Path,
    name: str,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Sequence[str],
    tolerance: float,
) -> None:
    numbered = enumerate(objects, start=1)
    shapes = (part for at, shape in numbered for part in mask_polygons(shape, tolerance, at))
    labelme.write(path, Drawing(name, size, shapes))


def _write_coco(
    path: Path,
    name: str,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Sequence[str],
    tolerance: float,
) -> None:
    coco.write_objects(path, name, size, objects, classes)


WRITERS: dict[str, Callable[..., None]] = {
    "labelme": _write_labelme,
    "coco": _write_coco,
    "geojson": partial(geojson.write, object_type="detection"),
    "imagej": imagej.write,
}
