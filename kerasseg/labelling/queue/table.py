"""The review queue as a CSV file that git can diff and merge: a line a tile, sorted by tile.

Two people's queues merge well where git takes the lines of both (``merge=union``, which `ATTRIBUTES` asks
for): equal lines are one, and a line that waits gives way to one that decides. Where two decisions remain,
people must agree.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from kerasseg.annotations.documents import told_together
from kerasseg.errors import UserError, unknown

WAITING, DECIDED = ("selected", "proposed"), ("accepted", "edited", "rejected")
STATES = WAITING + DECIDED
PARTS = ("train", "test", "")
ATTRIBUTES = "queue.csv merge=union eol=lf\n"

_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Entry:
    """One tile in the queue.

    Attributes
    ----------
    tile : str
        Its name.
    cluster : int
        From 0.
    part : {"train", "test", ""}
        Of the slide.
    round : int
        In which it was selected.
    policy : str
        By which it was selected.
    proposer : str
        What proposed its shapes; empty where nothing did.
    uncertainty, score : float or None
        How unsure the proposer was, by which the queue is ordered, and how good it thinks its shapes are.
    state : {"selected", "proposed", "accepted", "edited", "rejected"}
    who, when : str
        Who decided, and the time in ISO 8601, UTC, seconds; empty as long as nobody did.
    """

    tile: str
    cluster: int
    part: str
    round: int
    policy: str
    proposer: str = ""
    uncertainty: float | None = None
    score: float | None = None
    state: str = "selected"
    who: str = ""
    when: str = ""

    @property
    def decision(self) -> tuple[str, str, str]:
        """The state, who and when; empty words as long as nobody decided."""
        return (self.state, self.who, self.when) if self.state in DECIDED else ("", "", "")


COLUMNS = tuple(field.name for field in fields(Entry))


def written(entries: Iterable[Entry]) -> str:
    """Write entries as CSV: a fixed header, LF, sorted by tile, four digits a number.

    Raises
    ------
    UserError
        If a tile is there twice.
    """
    entries = sorted(entries, key=lambda entry: entry.tile)
    twice = [tile for tile, count in Counter(entry.tile for entry in entries).items() if count > 1]
    if twice:
        raise UserError(*(f"tile {tile} would be in the queue twice; name it once" for tile in twice))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_cell(value) for value in astuple(entry)] for entry in entries)
    return text.getvalue()


def parsed(text: str, path: Path, tiles: Collection[str]) -> list[Entry]:
    """Read and check what :func:`written` wrote, and what a person, a spreadsheet or git made of it.

    Parameters
    ----------
    text : str
        The file's content.
    path : Path
        Its name, for the messages.
    tiles : collection of str
        Names of the slide's tiles.

    Returns
    -------
    list of Entry
        Sorted by tile.

    Raises
    ------
    UserError
        With all that is wrong, by line.
    """
    _refuse_conflicts(text, path)
    lines: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
    with told_together(ValueError) as reading:
        for number, row in _rows(text, path):
            with reading(f"{path}: line {number}"):
                entry = _entry(row, tiles)
                lines[entry.tile].append((number, entry))
        entries = []
        for tile, found in sorted(lines.items()):
            with reading(f"{path}: tile {tile}"):
                entries.append(_agreed(found))
    return entries


def time(moment: datetime) -> str:
    """Write a moment of UTC as the queue does, in whole seconds."""
    return moment.strftime(_TIME)


def _refuse_conflicts(text: str, path: Path) -> None:
    found = [str(at) for at, line in enumerate(text.splitlines(), start=1) if line.startswith(_CONFLICT)]
    if found:
        raise UserError(
            f"{path}: git left its conflict markers in the lines {', '.join(found)}; delete these lines and "
            "keep those between them. If two people decided on the same tile, the next message says so"
        )


def _rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield rows by column with their line numbers; what is too much is under no name."""
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restval=None, strict=True)
    try:
        _check_header(list(table.fieldnames or ()), path)
        for row in table:
            yield table.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}: line {table.line_num}: this is not CSV ({error})") from error


def _check_header(header: list[str], path: Path) -> None:
    problems = [unknown("column", name, COLUMNS) for name in header if name not in COLUMNS]
    problems += [f"there is no column {name}" for name in COLUMNS if name not in header]
    problems += [f"column {name} is there twice" for name in COLUMNS if header.count(name) > 1]
    if problems:
        expected = f"{path}: expected {','.join(COLUMNS)} in the first line"
        raise UserError(*(f"{path}: line 1: {problem}" for problem in problems), expected)


def _entry(row: Mapping[str | None, Any], tiles: Collection[str]) -> Entry:
    """Check one row; a ValueError says all that is wrong with it."""
    if None in row or None in row.values():
        raise ValueError(f"it does not have {len(COLUMNS)} cells")
    values, problems = dict(row), []
    for column, checked in _CHECKS.items():
        try:
            values[column] = checked(row[column])
        except ValueError as error:
            problems.append(f"{column} is {row[column]!r}; expected {error}")
    if row["tile"] not in tiles:
        problems.append(f"there is no tile {row['tile']!r} in tiles.csv")
    if problems:
        raise ValueError("; ".join(problems))
    return Entry(**values)


def _agreed(found: list[tuple[int, Entry]]) -> Entry:
    """Find what the lines of one tile say together; a ValueError names all who disagree."""
    furthest = max(_progress(entry) for _, entry in found)
    left = {entry: number for number, entry in reversed(found) if _progress(entry) == furthest}
    if len(left) > 1:
        lines = ", ".join(
            f"line {number}: {_told(entry)}" for entry, number in sorted(left.items(), key=itemgetter(1))
        )
        raise ValueError(f"it is in the queue {len(left)} times ({lines}); keep one of these lines")
    return next(iter(left))


def _progress(entry: Entry) -> int:
    return 2 if entry.state in DECIDED else WAITING.index(entry.state)


def _told(entry: Entry) -> str:
    by = entry.who or entry.proposer
    return entry.state + (f" by {by}" if by else "") + (f" at {entry.when}" if entry.when else "")


def _cell(value: Any) -> str:
    """Write a value on one line, numbers with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else " ".join(str(value).split())


def _whole(word: str) -> int:
    if not word.isascii() or not word.isdecimal():
        raise ValueError("a whole number from 0")
    return int(word)


def _number(word: str) -> float | None:
    try:
        number = float(word) if word else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise ValueError("a number, or nothing")
    return number


def _checked_time(word: str) -> str:
    try:
        return word and datetime.strptime(word, _TIME).strftime(_TIME)
    except ValueError:
        raise ValueError("a time such as 2025-11-30T17:05:00Z, or nothing") from None


def _one_of(choices: Sequence[str], word: str) -> str:
    if word not in choices:
        raise ValueError(f"one of {', '.join(choice or 'nothing' for choice in choices)}")
    return word


_CHECKS: dict[str, Callable[[str], Any]] = {
    "cluster": _whole,
    "part": partial(_one_of, PARTS),
    "round": _whole,
    "uncertainty": _number,
    "score": _number,
    "state": partial(_one_of, STATES),
    "when": _checked_time,
}
