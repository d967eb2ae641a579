"""The review queue: which tiles are to be labelled, what was proposed for them, and what people decided.

It is one file, ``queue.csv`` (see `kerasseg.labelling.entries`), which changes by a line a decision. Whoever
changes it reads it anew, so that several people and programs may work in one folder.
"""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kerasseg.errors import UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.labelling import folder, provenance, tables
from kerasseg.labelling.entries import ATTRIBUTES, PARTS, WAITING, Entry, from_csv, timestamp, to_csv
from kerasseg.labelling.selection import SelectedTile


def read(root: Path) -> list[Entry]:
    """Read the queue of a labelling folder, sorted by tile; there are no entries where there is no queue yet.

    Raises
    ------
    UserError
        With everything that is wrong with the queue, by line; or if there are no tiles.
    """
    path, tiles = folder.queue_path(root), {tile.name for tile in folder.read_tiles(root)}
    return from_csv(tables.read_text(path), path, tiles) if path.is_file() else []


@contextmanager
def locked(root: Path) -> Iterator[dict[str, Entry]]:
    """Hold the queue while the block changes it, and write what it changed.

    Programs that change the queue through here wait for each other. Lines that somebody else writes meanwhile
    are kept.

    Yields
    ------
    dict of str to Entry
        The entries by tile, to be replaced and added to.

    Raises
    ------
    UserError
        As :func:`read`; if somebody else changed the same line meanwhile; or if the file cannot be written.
        The queue stays as it was then.
    """
    with folder.shared(folder.queue_path(root)) as file:
        before = {entry.tile: entry for entry in read(root)}
        queue = dict(before)
        yield queue
        changed = {tile: entry for tile, entry in queue.items() if entry != before.get(tile)}
        while changed:
            content = file.content()
            now = {entry.tile: entry for entry in read(root)}
            if clashes := [tile for tile in changed if now.get(tile) != before.get(tile)]:
                named = ", ".join(clashes)
                raise UserError(
                    f"{file.path}: another program changed the line of {named} just now; try again"
                )
            file.draft.write_bytes(to_csv((now | changed).values()).encode())
            if file.replace(content):
                break


def add(root: Path, selected: Sequence[SelectedTile], part: str, round: int) -> list[Entry]:
    """Put the tiles of a new round into the queue.

    Beside it a ``.gitattributes`` appears, if there is none, by which git merges two people's queues.

    Parameters
    ----------
    root : Path
    selected : sequence of SelectedTile
    part : {"train", "test", ""}
        The part of the slide that they lie in.
    round : int
        The number of the round, from 1.

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
    tiles = {tile.name for tile in folder.read_tiles(root)}
    added = [Entry(tile.name, tile.cluster, part, round, tile.policy) for tile in selected]
    with locked(root) as queue:
        problems = [f"there is no tile {e.tile!r} in tiles.csv" for e in added if e.tile not in tiles]
        problems += [
            f"tile {e.tile} is in the queue already: {queue[e.tile].state}, of round {queue[e.tile].round}"
            for e in added
            if e.tile in queue
        ]
        for tile, count in Counter(entry.tile for entry in added).items():
            if count > 1:
                problems.append(f"tile {tile} would be in the queue twice; name it once")
        if problems:
            raise UserError(*problems)
        queue.update({entry.tile: entry for entry in added})
    attributes = Path(root) / ".gitattributes"
    if not attributes.exists():
        with write_atomically(attributes) as temporary:
            temporary.write_text(ATTRIBUTES, encoding="utf-8")
    return added


def decide(root: Path, tile: str, state: str, who: str | None = None) -> Entry:
    """Write down what a person decided upon a tile, in the queue and then in its labelme file.

    Parameters
    ----------
    root : Path
    tile : str
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
    with locked(root) as queue:
        check_queued(root, [tile], queue)
        if drawing.is_file():
            provenance.read(drawing)  # nothing is decided upon what cannot be read
        elif state in ("accepted", "edited"):
            raise UserError(
                f"{drawing}: there is no such file; propose shapes for tile {tile}, or draw them, before it "
                f"is {state}"
            )
        who = getpass.getuser() if who is None else who
        entry = queue[tile] = queue[tile].decided(state, who, timestamp(datetime.now(UTC)))
    if drawing.is_file():
        provenance.decide(drawing, *entry.decision)
    return entry


def check_queued(root: Path, names: Iterable[str], queued: Iterable[str]) -> None:
    """Refuse tiles that are not in the queue, and name them all."""
    if strangers := set(names) - set(queued):
        path = folder.queue_path(root)
        raise UserError(
            *(f"{path}: tile {name!r} is not in the queue; select it first" for name in sorted(strangers))
        )


def waiting(entries: Iterable[Entry]) -> list[Entry]:
    """List what waits for a decision: the most uncertain first, then by name; what nothing proposed last."""
    return sorted(
        (entry for entry in entries if entry.state in WAITING),
        key=lambda entry: (entry.uncertainty is None, -(entry.uncertainty or 0), entry.tile),
    )


def labelled(entries: Iterable[Entry]) -> list[Entry]:
    """List what a person accepted or edited, in the order given."""
    return [entry for entry in entries if entry.state in ("accepted", "edited")]
