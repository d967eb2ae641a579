"""``nuclei.csv``: a row for each nucleus in each slice."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.nuclei.crops import Corner
from kerasseg.nuclei.linking import Sighting

NAME = "nuclei.csv"
LENGTHS = ("y", "x", "major", "minor", "angle", "area")
COLUMNS = ("nucleus", "slice", *LENGTHS, "crop_y", "crop_x", "touches_border", "score")


@dataclass(frozen=True)
class Row:
    """A nucleus in a slice.

    Attributes
    ----------
    nucleus : int
        Its id, from 1.
    sighting : Sighting
        Where and how large it is.
    crop : Corner
        The upper left pixel of its crop.
    """

    nucleus: int
    sighting: Sighting
    crop: Corner


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the table; it appears when it is complete.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in rows:
            table.writerow(_cells(row))


def read(path: Path) -> list[Row]:
    """Read the table.

    Raises
    ------
    UserError
        If there is none, or it is not one of these.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; kerasseg extract writes it")
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if missing := [name for name in COLUMNS if name not in (table.fieldnames or ())]:
            raise UserError(
                f"{path}: the columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}"
            )
        try:
            return [_row(cells) for cells in table]
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}: line {table.line_num} is no row of this table ({error})") from error


def _cells(row: Row) -> list[object]:
    nucleus, sighting = row.nucleus, row.sighting
    lengths = (getattr(sighting, name) for name in LENGTHS)
    ends = (*row.crop, int(sighting.touches_border), f"{sighting.score:.3f}")
    return [nucleus, sighting.slice, *(f"{length:.2f}" for length in lengths), *ends]


def _row(cells: dict[str, str]) -> Row:
    lengths = [float(cells[name]) for name in LENGTHS]
    touches = bool(int(cells["touches_border"]))
    sighting = Sighting(int(cells["slice"]), *lengths, touches, float(cells["score"]))
    return Row(int(cells["nucleus"]), sighting, Corner(int(cells["crop_y"]), int(cells["crop_x"])))
