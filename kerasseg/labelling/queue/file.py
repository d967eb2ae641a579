"""``queue.csv`` on the disk: read whole, changed a line at a time, by several people and programs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path

from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.labelling import folder
from kerasseg.labelling.queue import table
from kerasseg.labelling.queue.table import Entry


def read(root: Path) -> list[Entry]:
    """Read the queue.

    Parameters
    ----------
    root : Path
        The labelling folder.

    Returns
    -------
    list of Entry
        Sorted by tile; none where there is no queue yet.

    Raises
    ------
    UserError
        With all that is wrong with the queue, by line; or if there are no tiles.
    """
    path, tiles = folder.queue_path(root), set(folder.tile_column(root, "name"))
    if not path.is_file():
        return []
    try:
        return table.parsed(path.read_text(encoding="utf-8"), path, tiles)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this is not UTF-8 ({error}); save it as CSV in UTF-8") from error


def write(root: Path, entries: Iterable[Entry]) -> None:
    """Write the queue as it is given, whatever is there; the file appears when it is complete.

    Raises
    ------
    UserError
        If a tile is there twice, or the file cannot be written.
    """
    text = table.written(entries)
    with write_atomically(folder.queue_path(root)) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def change(root: Path, what: Callable[[list[Entry]], list[Entry]]) -> list[Entry]:
    """Change the queue; lines that others write at the same time are kept.

    Parameters
    ----------
    root : Path
        The labelling folder.
    what : callable
        From the entries to those that shall take their place; it is called again where somebody was faster.

    Returns
    -------
    list of Entry
        As they are now, sorted by tile.
    """

    entries: list[Entry] = []

    def write(temporary: Path) -> None:
        entries[:] = sorted(what(read(root)), key=attrgetter("tile"))
        temporary.write_bytes(table.written(entries).encode())

    folder.rewrite(folder.queue_path(root), write)
    return entries


def change_entry(root: Path, tile: str, what: Callable[[Entry], Entry]) -> Entry:
    """Change one tile's entry, as :func:`change` does, and return it.

    Raises
    ------
    UserError
        If the tile is not in the queue, and whatever `what` raises.
    """

    def changed(entries: list[Entry]) -> list[Entry]:
        if tile not in {entry.tile for entry in entries}:
            raise UserError(f"{folder.queue_path(root)}: tile {tile!r} is not in the queue; select it first")
        return [what(entry) if entry.tile == tile else entry for entry in entries]

    return next(entry for entry in change(root, changed) if entry.tile == tile)
