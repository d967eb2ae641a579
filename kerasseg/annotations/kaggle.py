"""Kaggle's CSV of run lengths: a row an object, ``id,annotation,width,height``, row by row from 1."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasseg.annotations import rle
from kerasseg.annotations.documents import checked_size
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.shapes import Drawing, Shape, instances
from kerasseg.annotations.trace import pixels_shape
from kerasseg.errors import UserError, unknown
from kerasseg.images import files

COLUMNS = ("id", "annotation", "width", "height")
CLASS = "class"  # a column of our own; Kaggle's files have one class and no such column
_LONGEST = 1 << 24  # characters of one annotation; csv stops at 131,072 unless told


def read(path: Path, classes: Sequence[str]) -> dict[str, Drawing]:
    """Read and check run lengths.

    Parameters
    ----------
    path : Path
        The CSV file. Columns beside the four are left alone; but one ``class`` names each object's class.
    classes : sequence of str
        The classes that there may be; the first is meant where the file names none.

    Returns
    -------
    dict of str to Drawing
        By image id, each object as a ``mask`` shape. A row without annotation is an image without objects.

    Raises
    ------
    UserError
        If the file is missing, lacks a column, or a row is wrong; all wrong rows are named at once.
    """
    path = Path(path)
    drawings: dict[str, Drawing] = {}
    problems = []
    for number, row in enumerate(_rows(path), start=2):
        try:
            drawing = _drawing(drawings, row, path)
            drawing.shapes.extend(_shapes(row, drawing.size, classes, path))
        except UserError as error:
            problems += [f"line {number}: {message}" for message in error.messages]
    if problems:
        raise UserError(*problems)
    return drawings


def write(path: Path, drawings: Mapping[str, Drawing]) -> None:
    """Write run lengths; of overlapping objects the later one keeps the pixels, as Kaggle wants no overlap.

    Parameters
    ----------
    path : Path
        The CSV file to appear.
    drawings : mapping of str to Drawing
        By image id. An image without objects is a row without annotation; crowds and regions to ignore, for
        which Kaggle has no word, are left out.
    """
    with files.write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, CLASS])
        for name, drawing in drawings.items():
            writer.writerows(_written(name, drawing))


def _rows(path: Path) -> Iterable[dict[str, str]]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    csv.field_size_limit(_LONGEST)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: this is not CSV ({error})") from error
    missing = [column for column in COLUMNS if not rows or rows[0].get(column) is None]
    if missing:
        raise UserError(
            f"{path}: there is no column {', '.join(missing)}, or no row; expected {','.join(COLUMNS)}"
        )
    return rows


def _drawing(drawings: dict[str, Drawing], row: dict[str, str], path: Path) -> Drawing:
    """Find the row's image, or begin it; all rows of an image must agree about its size."""
    name = row["id"] or ""
    if not name or any(character in name for character in "/\\\0") or name in (".", ".."):
        raise UserError(f"{path}: id is {name!r}; expected the image's name without folder and suffix")
    size = checked_size(_whole(row["height"]), _whole(row["width"]), path, f"height and width of {name}")
    drawing = drawings.setdefault(name, Drawing(f"{name}.png", size, []))
    if drawing.size != size:
        raise UserError(f"{path}: {name} is {size} (height, width) here and {drawing.size} before")
    return drawing


def _whole(word: str | None) -> int | str | None:
    return int(word) if word and word.isdecimal() else word


def _shapes(row: dict[str, str], size: tuple[int, int], classes: Sequence[str], path: Path) -> list[Shape]:
    label = row.get(CLASS) or classes[0]
    if label not in classes:
        raise UserError(f"{path}: {unknown('class', label, classes)}")
    pixels = rle.pixels(row["annotation"] or "", size, name=f"{path}: {row['id']}")
    return [pixels_shape(*np.divmod(pixels, size[1]), label)] if pixels.size else []


def _written(name: str, drawing: Drawing) -> Iterable[tuple]:
    height, width = drawing.size
    objects = [shape for shape in drawing.shapes if shape.is_object]
    groups = instances(objects)
    runs = rle.encode_labels(draw_labels(objects, drawing.size))
    if not runs:
        yield name, "", width, height, ""
    for at, numbers in runs.items():
        yield name, " ".join(map(str, numbers)), width, height, groups[at - 1][0].label
