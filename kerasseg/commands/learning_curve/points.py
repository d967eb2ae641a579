"""The points of a learning curve in a CSV file, each written when it is known."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.files import write_atomically


@dataclass(frozen=True)
class Point:
    """How good a model is that learnt from so many tiles.

    Attributes
    ----------
    policy : str
        How tiles were drawn: a name in `kerasseg.labelling.select.POLICIES`.
    proposals : str
        Who proposed masks that a reviewer accepted; empty where a person, or the truth, labelled every tile.
    tiles : int
        Tiles that the model learnt from, those included that it was chosen by.
    round : int
        How often there were proposals; 0 is before the first.
    seed : int
        Of everything random.
    foreground_iou, mean_iou_two_class, f1 : float
        Pooled over the pixels of all test tiles, in [0, 1]; F1 is Dice.
    seconds : float
        Of training.
    accepted, empty, rejected : int
        Of `tiles`, those whose proposal was accepted; of these, those in which nothing was proposed; and
        tiles that were proposed to no avail.
    """

    policy: str
    proposals: str
    tiles: int
    round: int
    seed: int
    foreground_iou: float
    mean_iou_two_class: float
    f1: float
    seconds: float
    accepted: int = 0
    empty: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        how = f", {self.accepted} of them by proposals of round {self.round}" if self.proposals else ""
        return (
            f"{self.policy}, seed {self.seed}, {self.tiles} tiles{how}: F1 {self.f1:.4f}, foreground IoU "
            f"{self.foreground_iou:.4f}, {self.seconds:.0f} s"
        )


class Points:
    """A curve's points and their file.

    Parameters
    ----------
    path : Path
        A CSV file; it need not exist.

    Attributes
    ----------
    known : list of Point
        Those in the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.known = path, read(path)

    def add(self, point: Point) -> None:
        """Write one more point down, and say it."""
        write(self.path, [*self.known, point])
        self.known.append(point)
        say(str(point))


COLUMNS = [field.name for field in fields(Point)]


def read(path: Path) -> list[Point]:
    """Read a curve's points; none where there is no file yet.

    Raises
    ------
    UserError
        If a line is no point.
    """
    if not path.exists():
        return []
    types = get_type_hints(Point)
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    try:
        return [Point(**{name: types[name](line[name]) for name in COLUMNS}) for line in lines]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: a line is no point of a learning curve ({error}); expected the columns "
            f"{', '.join(COLUMNS)}. Mend it, or take the file away and compute it again"
        ) from error


def write(path: Path, points: Sequence[Point]) -> None:
    """Write a curve's points, complete or not at all."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)
