"""Labels as image files: instance ids, all of one class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations.documents import Options, Plan, read_each
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.masks import read_numbers
from kerasseg.annotations.shapes import Drawing, Drawings, Shape, instances
from kerasseg.annotations.trace import label_shapes
from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.store import Region

MOST_IN_PNG = 2**16 - 1  # objects: a pixel has 16 bits


def read_labels(path: Path, region: Region | None = None) -> np.ndarray:
    """Read instance ids, or those of a region of a large image.

    Parameters
    ----------
    path : Path
        An image file of whole numbers; 0 is background.
    region : tuple of slice, optional
        One for each axis; of a file in blocks.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32

    Raises
    ------
    UserError
        If the file cannot be read, has colours, or holds numbers that are not ids.
    """
    return as_labels(read_numbers(Path(path), region), path)


def as_labels(values: np.ndarray, name: object) -> np.ndarray:
    """Take stored numbers of any rank and type for instance ids, int32.

    Raises
    ------
    UserError
        If some are not ids; `name` says of what they are.
    """
    low, high = values.min(), values.max()
    largest = np.iinfo(np.int32).max
    broken = values.dtype.kind == "f" and not (values == np.floor(values)).all()
    if broken or low < 0 or high > largest:
        raise UserError(
            f"{name}: values lie in [{low}, {high}]; expected whole instance ids from 0, the background, to "
            f"{largest}. Larger ids are numbered anew by skimage.segmentation.relabel_sequential"
        )
    return values.astype(np.int32)


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write instance ids ``(Y, X)``, as 16 bits in a PNG and as 32 in a TIFF.

    Raises
    ------
    UserError
        If a PNG cannot hold the largest id.
    """
    is_png = Path(path).suffix.lower() == ".png"
    if is_png and labels.max(initial=0) > MOST_IN_PNG:
        raise UserError(f"{path}: {labels.max()} instances do not fit into a PNG; write a .tif")
    files.write(path, labels.astype(np.uint16 if is_png else np.int32))


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a folder of labels, or one; images are taken to have the names of their labels."""

    def drawing(path: Path) -> Drawing:
        labels = read_labels(path)
        return Drawing(path.name, labels.shape, label_shapes(labels, lambda _: options.classes[0]))

    return read_each(source, files.SUFFIXES, drawing)


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan a PNG for each drawing, or a TIFF where a PNG cannot count its objects."""

    def write(path: Path, objects: list[Shape], size: tuple[int, int]) -> None:
        write_labels(path, draw_labels(objects, size))

    plan = {}
    for name, drawing in drawings.items():
        path = target / f"{name}.png"
        objects = [shape for shape in drawing.shapes if shape.is_object]
        if (count := len(instances(objects))) > MOST_IN_PNG:
            say(f"{path}: a PNG cannot hold {count:,} objects; writing a TIFF of 32 bits instead")
            path = path.with_suffix(".tif")
        plan[path] = partial(write, path, objects, drawing.size)
    return plan
