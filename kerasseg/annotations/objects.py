"""Instance labels to the files in which other programs look at objects, for images of any size.

Labels are read a band of rows at a time to find where each object lies, and then object by object; objects
are written one after another. What is in memory is a band, one object's box, and four numbers an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasseg.annotations.formats import FORMATS, OUTLINES
from kerasseg.annotations.trace import TOLERANCE, box_shape, label_boxes
from kerasseg.errors import UserError, unknown

BAND = 512  # rows


def write_objects(
    path: Path,
    labels: np.ndarray,
    classes_of: Mapping[int, str],
    format: str,
    *,
    image: str,
    classes: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> int:
    """Write the objects of an image.

    Parameters
    ----------
    path : Path
        The file to appear; see `kerasseg.annotations.formats.OUTLINES`.
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
    if format not in OUTLINES:
        raise UserError(unknown("format", format, OUTLINES))
    classes = list(classes) or sorted(set(classes_of.values()))
    boxes = object_boxes(labels)
    objects = (
        box_shape(np.asarray(labels[box]) == number, box, classes_of[number])
        for number, box in sorted(boxes.items())
    )
    size = (int(labels.shape[0]), int(labels.shape[1]))
    FORMATS[format].load().write_objects(Path(path), image, size, objects, classes, tolerance=tolerance)
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
        for number, (rows, columns) in label_boxes(np.asarray(labels[top : top + band])):
            rows = slice(rows.start + top, rows.stop + top)
            if number in boxes:
                above, beside = boxes[number]
                rows = slice(above.start, rows.stop)
                columns = slice(min(beside.start, columns.start), max(beside.stop, columns.stop))
            boxes[number] = rows, columns
    return boxes
