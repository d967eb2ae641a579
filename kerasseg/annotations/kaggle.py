"""Kaggle's CSV files of run lengths, a row an object.

=================== ============================== ==================== =====================
competition         columns                        pixels counted       the image's size
=================== ============================== ==================== =====================
Sartorius           id,annotation,width,height     row by row           in the row
Data Science Bowl   ImageId,EncodedPixels          column by column     the image's, or columns
=================== ============================== ==================== =====================

Both count from 1. Other competitions of Kaggle (Airbus) took over the columns of the Data Science Bowl.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import rle
from kerasseg.annotations.documents import Options, Plan, checked_size, only_file
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.shapes import Drawing, Shape, instances
from kerasseg.annotations.trace import pixels_shape
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.images.folders import clashes, stem

CLASS = "class"  # a column of our own; Kaggle's files have one class and no such column
_LONGEST = 1 << 24  # characters of one annotation; csv stops at 131,072 unless told


@dataclass(frozen=True)
class Columns:
    """Which columns a competition's files have, and along what they count pixels.

    Attributes
    ----------
    image, runs : str
        The image's name, and run lengths.
    height, width : str
        Of the image.
    sized : bool
        Whether the last two must be there.
    order : {"row", "column"}
        See `kerasseg.annotations.rle`.
    """

    image: str
    runs: str
    height: str
    width: str
    sized: bool
    order: str

    @property
    def needed(self) -> tuple[str, ...]:
        """Name the columns that must be there."""
        return (self.image, self.runs, *((self.width, self.height) if self.sized else ()))

    @property
    def all(self) -> tuple[str, ...]:
        """Name the columns that are not left to whoever reads the table."""
        return (self.image, self.runs, self.width, self.height)


SARTORIUS = Columns("id", "annotation", "height", "width", sized=True, order="row")
SCIENCE_BOWL = Columns("ImageId", "EncodedPixels", "Height", "Width", sized=False, order="column")
COLUMNS = (SARTORIUS, SCIENCE_BOWL)


@dataclass(frozen=True)
class Row:
    """An object of an image; or an image without objects, where there are no runs."""

    where: str  # file, line and image, for messages
    runs: str
    size: tuple[int, int] | None  # height and width of the image, where the row says so
    order: str
    others: dict[str, str]  # what the other columns hold

    def pixels(self, size: tuple[int, int]) -> np.ndarray:
        """List the object's pixels: see `kerasseg.annotations.rle.pixels`."""
        return rle.pixels(self.runs, size, self.order, name=self.where)


def rows(path: Path, mistakes: Mistakes) -> dict[str, list[Row]]:
    """Read a table's rows by the name of their image, and note those that are wrong.

    Raises
    ------
    UserError
        If the file is missing, no CSV, or lacks a column.
    """
    path = Path(path)
    columns, table = _table(path)
    grouped: dict[str, list[Row]] = {}
    for number, values in enumerate(table, start=2):
        with mistakes.noted():
            name, row = _row(values, columns, path, number)
            grouped.setdefault(name, []).append(row)
    return grouped


def is_table(path: Path) -> bool:
    """Tell by its first line whether a CSV file holds run lengths."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (OSError, csv.Error, UnicodeDecodeError):
        return False
    return any(set(columns.needed) <= set(header) for columns in COLUMNS)


def images_by_name(folder: Path) -> dict[str, Path]:
    """Find the images of a folder by the names that a table may give them.

    Parameters
    ----------
    folder : Path
        Its images go by their names with and without suffix; or by their paths in the folder, where they lie
        deeper. Images of single objects, in folders ``masks``, are left out.

    Raises
    ------
    UserError
        If two have the same name.
    """
    paths = [path for path in files.find(folder, known=(".csv",)) if path.parent.name != "masks"]
    if problems := list(clashes((stem(path), path) for path in paths)):
        raise UserError(*problems)
    inside = {path: path.relative_to(folder) for path in paths}
    return (
        {path.name: path for path in paths}
        | {stem(path): path for path in paths}
        | {name.as_posix(): path for path, name in inside.items()}
        | {name.with_name(stem(path)).as_posix(): path for path, name in inside.items()}
    )


def read(path: Path, classes: Sequence[str]) -> dict[str, Drawing]:
    """Read and check run lengths.

    Parameters
    ----------
    path : Path
        The CSV file. Other columns are left alone; but one ``class`` names each object's class.
    classes : sequence of str
        The classes that there may be; the first is meant where the file names none.

    Returns
    -------
    dict of str to Drawing
        By image id, each object as a ``mask`` shape. A row without annotation is an image without objects.

    Raises
    ------
    UserError
        If the file is missing, lacks a column, or a row is wrong; all wrong rows are named at once. Where
        rows do not say how large an image is, it must lie in the folder of the file or deeper.
    """
    path, mistakes = Path(path), Mistakes()
    grouped = rows(path, mistakes)
    sized = all(row.size for rows_of_image in grouped.values() for row in rows_of_image)
    images = {} if sized else images_by_name(path.parent)
    drawings = {}
    for name, rows_of_image in grouped.items():
        with mistakes.noted():
            drawings[name] = _drawing(name, rows_of_image, images.get(name), classes, mistakes)
    mistakes.check()
    if not drawings:
        raise UserError(f"{path}: the table has no rows")
    return drawings


def write(path: Path, drawings: Mapping[str, Drawing]) -> None:
    """Write run lengths; of overlapping objects the later one keeps the pixels, as Kaggle wants no overlap.

    Parameters
    ----------
    drawings : mapping of str to Drawing
        By image id. An image without objects is a row without annotation; crowds and regions to ignore, for
        which Kaggle has no word, are left out.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*SARTORIUS.all, CLASS])
        for name, drawing in drawings.items():
            writer.writerows(_written(name, drawing))


def _table(path: Path) -> tuple[Columns, list[dict[str, str]]]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    csv.field_size_limit(_LONGEST)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            table, header = list(reader), set(reader.fieldnames or ())
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: this is not CSV ({error})") from error
    columns = SCIENCE_BOWL if SCIENCE_BOWL.image in header else SARTORIUS
    if missing := [column for column in columns.needed if column not in header]:
        expected = " or ".join(",".join(one.needed) for one in COLUMNS)
        raise UserError(f"{path}: there is no column {', '.join(missing)}; expected {expected}")
    return columns, table


def _row(values: dict[str, str], columns: Columns, path: Path, number: int) -> tuple[str, Row]:
    """Check all of a row but its runs, which need the image's size."""
    name, where = values[columns.image], f"{path}: line {number}"
    if not _is_inside(name):
        raise UserError(
            f"{where}: {columns.image} is {name!r}; expected an image's name, or its path in their folder"
        )
    if None in values or None in values.values():
        raise UserError(f"{where}: it has more or fewer values than there are columns")
    sides = [values.get(columns.height), values.get(columns.width)]
    size = None
    if columns.sized or any(sides):
        height, width = (int(side) if side and side.isdecimal() else side for side in sides)
        size = checked_size(height, width, path, f"line {number}: height and width")
    others = {key: value for key, value in values.items() if key not in columns.all}
    return name, Row(f"{where}: {name}", values[columns.runs], size, columns.order, others)


def _is_inside(name: str | None) -> bool:
    """Tell whether a name leads to a file in its folder."""
    return (
        bool(name)
        and not {"", ".", ".."} & set(name.split("/"))
        and not set(name) & set("\\\0")
        and name[1:2] != ":"
    )


def _drawing(
    name: str, rows: Sequence[Row], image: Path | None, classes: Sequence[str], mistakes: Mistakes
) -> Drawing:
    """Draw an image's objects; all its rows must agree about its size."""
    first = rows[0]
    if first.size is None and image is None:
        raise UserError(
            f"{first.where}: the table does not say how large this image is, and it is not beside the table; "
            "put it there"
        )
    size = first.size or files.header(image).size
    drawing = Drawing(image.name if image else f"{name}.png", size, [])
    for row in rows:
        with mistakes.noted():
            if row.size not in (None, size):
                raise UserError(f"{row.where} is {row.size} (height, width) here and {size} before")
            drawing.shapes.extend(_shapes(row, size, classes))
    return drawing


def _shapes(row: Row, size: tuple[int, int], classes: Sequence[str]) -> list[Shape]:
    label = row.others.get(CLASS) or classes[0]
    if label not in classes:
        raise UserError(f"{row.where}: {unknown('class', label, classes)}")
    pixels = row.pixels(size)
    return [pixels_shape(*np.divmod(pixels, size[1]), label)] if pixels.size else []


def _written(name: str, drawing: Drawing) -> Iterable[tuple]:
    height, width = drawing.size
    objects = [shape for shape in drawing.shapes if shape.is_object]
    groups = instances(objects)
    runs = rle.encode_labels(draw_labels(objects, drawing.size))
    if not runs:
        yield name, "", width, height, ""
    for number, numbers in runs.items():
        yield name, " ".join(map(str, numbers)), width, height, groups[number - 1][0].label


def read_drawings(source: Path, options: Options) -> dict[str, Drawing]:
    """Read a CSV file of run lengths, or the only one of a folder."""
    return read(only_file(source, ".csv"), options.classes)


def plan(drawings: Mapping[str, Drawing], target: Path, options: Options) -> Plan:
    """Plan one CSV file for all drawings."""
    path = target if target.suffix.lower() == ".csv" else target / "train.csv"
    return {path: partial(write, path, drawings)}
