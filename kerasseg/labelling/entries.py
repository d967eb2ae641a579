"""A tile in the review queue, what may become of it, and the queue as a CSV file that git can diff and merge.

The file has a line for each tile, sorted by tile. Two people's queues merge well where git takes the lines of
both (``merge=union``, which `ATTRIBUTES` asks for): equal lines are one, and a line that waits gives way to
one that decides. Where two decisions remain, people must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.labelling import tables

WAITING, DECIDED = ("selected", "proposed"), ("accepted", "edited", "rejected")
STATES = WAITING + DECIDED
PARTS = ("train", "test", "")
ATTRIBUTES = "queue.csv merge=union eol=lf\n"

# A decision may be changed and taken back; but no proposal takes the place of what a person labelled.
MAY_FOLLOW = {
    "selected": DECIDED,
    "proposed": DECIDED,
    "accepted": (*WAITING, "edited", "rejected"),
    "edited": ("accepted", "rejected"),
    "rejected": (*WAITING, "accepted", "edited"),
}
MAY_BE_PROPOSED = ("selected", "proposed", "rejected")

_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Entry:
    """A tile in the queue.

    Attributes
    ----------
    tile : str
        Its name.
    cluster : int
        Its cluster, from 0.
    part : {"train", "test", ""}
        The part of the slide that it lies in.
    round : int
        The round in which it was selected, from 1.
    policy : str
        The policy that selected it.
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

    def __str__(self) -> str:
        by = self.who or self.proposer
        return self.state + (f" by {by}" if by else "") + (f" at {self.when}" if self.when else "")

    @property
    def decision(self) -> tuple[str, str, str]:
        """The state, who and when; empty strings as long as nobody decided."""
        return (self.state, self.who, self.when) if self.state in DECIDED else ("", "", "")

    def proposed(self, proposer: str, uncertainty: float | None, score: float | None) -> Entry:
        """Note that something proposed shapes.

        Raises
        ------
        UserError
            If a person labelled the tile.
        """
        if self.state not in MAY_BE_PROPOSED:
            raise UserError(f"tile {self.tile} is {self.state} by {self.who}; nothing is proposed for it")
        changes = {"proposer": proposer, "uncertainty": uncertainty, "score": score}
        return replace(self, state="proposed", who="", when="", **changes)

    def edited(self, who: str, when: str) -> Entry:
        """Note that a person drew; who is known to have edited a tile before stays its editor."""
        known = self.who if self.state == "edited" else ""
        return replace(self, state="edited", who=known or who, when=when)

    def decided(self, state: str, who: str, when: str) -> Entry:
        """Let a person decide, or take a decision back; the same state again changes nothing.

        Parameters
        ----------
        state : str
            One of `STATES`; a decision is taken back to ``proposed`` where something proposed the shapes, and
            to ``selected`` otherwise.
        who, when : str
            Who decides, and the time.

        Raises
        ------
        UserError
            If there is no such state, or it may not follow.
        """
        if state not in STATES:
            raise UserError(unknown("state", state, STATES))
        if state == self.state:
            return self
        undone = "proposed" if self.proposer else "selected"
        may_follow = [name for name in MAY_FOLLOW[self.state] if name in DECIDED or name == undone]
        if state not in may_follow:
            raise UserError(
                f"tile {self.tile} is {self.state} and cannot become {state}; choose one of "
                f"{', '.join(may_follow)}"
            )
        if state == undone:
            return replace(self, state=state, who="", when="")
        return replace(self, state=state, who=who, when=when)


def to_csv(entries: Iterable[Entry]) -> str:
    """Write entries as CSV: a fixed header, LF, sorted by tile, numbers with four digits."""
    return tables.to_csv(sorted(entries, key=lambda entry: entry.tile), Entry, _cell)


def from_csv(text: str, path: Path, tiles: Collection[str]) -> list[Entry]:
    """Read and check what :func:`to_csv` wrote, and what a person, a spreadsheet or git made of it.

    Parameters
    ----------
    text : str
    path : Path
        The file that holds the text, for messages.
    tiles : collection of str
        Names of the slide's tiles.

    Returns
    -------
    list of Entry
        Sorted by tile.

    Raises
    ------
    UserError
        With everything that is wrong, by line.
    """
    conflicts = [str(n) for n, line in enumerate(text.splitlines(), start=1) if line.startswith(_CONFLICT)]
    if conflicts:
        raise UserError(
            f"{path}: git left its conflict markers in the lines {', '.join(conflicts)}; delete these lines "
            "and keep those between them. If two people decided on the same tile, the next message says so"
        )
    mistakes = Mistakes()
    lines: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
    for number, entry in tables.parse(text, path, Entry, mistakes, _checks(tiles)):
        lines[entry.tile].append((number, entry))
    entries = []
    for tile, numbered in sorted(lines.items()):
        left = _furthest(numbered)
        entries.append(left[0][1])
        if len(left) > 1:
            listed = ", ".join(f"line {number}: {entry}" for number, entry in left)
            mistakes.add(
                f"{path}: tile {tile}: it is in the queue {len(left)} times ({listed}); keep one of these "
                "lines"
            )
    mistakes.check()
    return entries


def timestamp(moment: datetime) -> str:
    """Write a moment of UTC as the queue does, in whole seconds."""
    return moment.strftime(_TIME)


def _furthest(numbered: list[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """Keep the lines of a tile that are furthest, equal ones once: several where people disagree."""
    progress = {entry: 2 if entry.state in DECIDED else WAITING.index(entry.state) for _, entry in numbered}
    first = {entry: number for number, entry in reversed(numbered)}
    left = [(number, entry) for entry, number in first.items() if progress[entry] == max(progress.values())]
    return sorted(left, key=itemgetter(0))


def _cell(value: Any) -> str:
    """Write a value on one line, numbers with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else " ".join(str(value).split())


def _checks(tiles: Collection[str]) -> dict[str, Callable[[str], Any]]:
    """Say how the cells of a queue's columns are read."""
    return {
        "tile": partial(_choice, tiles, "the name of a tile in tiles.csv"),
        "part": partial(_choice, PARTS, "one of train, test, nothing"),
        "uncertainty": _number,
        "score": _number,
        "state": partial(_choice, STATES, f"one of {', '.join(STATES)}"),
        "when": _moment,
    }


def _choice(choices: Collection[str], expected: str, cell: str) -> str:
    if cell not in choices:
        raise ValueError(expected)
    return cell


def _number(cell: str) -> float | None:
    try:
        return tables.finite(cell) if cell else None
    except ValueError:
        raise ValueError("a number, or nothing") from None


def _moment(cell: str) -> str:
    try:
        return cell and datetime.strptime(cell, _TIME).strftime(_TIME)
    except ValueError:
        raise ValueError("a time such as 2025-11-30T17:05:00Z, or nothing") from None
