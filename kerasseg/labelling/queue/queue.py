"""The review queue: which tiles are to be labelled, what was proposed for them, and what people decided.

It is one file, ``queue.csv`` (see `kerasseg.labelling.queue.table`), which changes by a line a decision.
Whoever changes it reads it anew, so that several people and programs may work in one folder.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from kerasseg.errors import UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.labelling import folder
from kerasseg.labelling.queue import marked, states, table
from kerasseg.labelling.queue.file import change, change_entry, read, write
from kerasseg.labelling.queue.noticing import notice
from kerasseg.labelling.queue.table import PARTS, STATES, WAITING, Entry

__all__ = ["STATES", "Entry", "Selected", "add", "decide", "labelled", "notice", "read", "waiting", "write"]


class Selected(Protocol):
    """What a selection says of a tile: see `kerasseg.labelling.select`."""

    name: str
    cluster: int
    policy: str


def add(root: Path, drawn: Sequence[Selected], part: str, round: int) -> list[Entry]:
    """Put the tiles of a new round into the queue.

    Beside it a ``.gitattributes`` appears, if there is none, by which git merges two people's queues.

    Parameters
    ----------
    root : Path
        The labelling folder.
    drawn : sequence of Selected
        The tiles.
    part : {"train", "test", ""}
        The part of the slide that they were drawn from.
    round : int
        Its number, from 1.

    Returns
    -------
    list of Entry
        The new ones.

    Raises
    ------
    UserError
        If tiles are unknown or in the queue already; all are named, and none is added.
    """
    if part not in PARTS:
        raise UserError(unknown("part", part, PARTS))
    tiles = set(folder.tile_column(root, "name"))
    added = [Entry(tile.name, tile.cluster, part, round, tile.policy) for tile in drawn]

    def more(entries: list[Entry]) -> list[Entry]:
        there = {entry.tile: entry for entry in entries}
        _refuse(added, tiles, there)
        return entries + added

    change(root, more)
    attributes = Path(root) / ".gitattributes"
    if not attributes.exists():
        with write_atomically(attributes) as temporary:
            temporary.write_text(table.ATTRIBUTES, encoding="utf-8")
    return added


def decide(root: Path, tile: str, state: str, who: str | None = None) -> Entry:
    """Write down what a person decided upon a tile, in the queue and in its labelme file.

    Parameters
    ----------
    root : Path
        The labelling folder.
    tile : str
        Its name.
    state : str
        ``accepted`` (which with no shapes means that there is nothing on it), ``edited`` or ``rejected``; or
        what takes a decision back: ``proposed`` where something proposed shapes, otherwise ``selected``.
    who : str, optional
        The user's name by default.

    Returns
    -------
    Entry
        As it is now.

    Raises
    ------
    UserError
        If the tile is not in the queue, the state may not follow its own, or what is accepted is not there
        or cannot be read.
    """
    drawing = folder.drawing_path(root, tile)
    who = getpass.getuser() if who is None else who
    when = table.time(datetime.now(UTC))

    def decided(entry: Entry) -> Entry:
        _check_drawing(drawing, tile, state)
        return states.decided(entry, state, who, when)

    entry = change_entry(root, tile, decided)
    if drawing.is_file():
        marked.decide(drawing, *entry.decision)
    return entry


def waiting(entries: Iterable[Entry]) -> list[Entry]:
    """List what waits for a decision: the most uncertain first, then by name; what nothing proposed last."""
    found = [entry for entry in entries if entry.state in WAITING]
    return sorted(found, key=lambda e: (e.uncertainty is None, -(e.uncertainty or 0), e.tile))


def labelled(entries: Iterable[Entry]) -> list[Entry]:
    """List what a person accepted or edited, in the order given."""
    return [entry for entry in entries if entry.state in ("accepted", "edited")]


def _refuse(added: list[Entry], tiles: Collection[str], there: Mapping[str, Entry]) -> None:
    problems = [f"there is no tile {e.tile!r} in tiles.csv" for e in added if e.tile not in tiles]
    problems += [
        f"tile {e.tile} is in the queue already: {there[e.tile].state}, of round {there[e.tile].round}"
        for e in added
        if e.tile in there
    ]
    if problems:
        raise UserError(*problems)


def _check_drawing(drawing: Path, tile: str, state: str) -> None:
    """Refuse to decide upon what cannot be read, and to accept what is not there."""
    if drawing.is_file():
        marked.read(drawing)
    elif state in ("accepted", "edited"):
        raise UserError(
            f"{drawing}: there is no such file; propose shapes for tile {tile}, or draw them, before it "
            f"is {state}"
        )
