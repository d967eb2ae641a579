"""Where things lie in a labelling folder, and how its files are changed without losing what others wrote."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from kerasseg import locks
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import files


class _Overtaken(Exception):
    """Somebody else wrote the file in between."""


def queue_path(root: Path) -> Path:
    """Name the review queue."""
    return Path(root) / "queue.csv"


def view_path(root: Path, tile: str) -> Path:
    """Name the image that labelme shows of a tile."""
    return Path(root) / "queue" / f"{tile}.png"


def drawing_path(root: Path, tile: str) -> Path:
    """Name the labelme file of a tile."""
    return Path(root) / "queue" / f"{tile}.json"


def tile_images(root: Path) -> dict[str, Path]:
    """Find the files of the tiles by their names; there are none where there is no such folder."""
    folder = Path(root) / "tiles"
    return {path.stem: path for path in files.find(folder)} if folder.is_dir() else {}


def tile_image(images: Mapping[str, Path], root: Path, name: str) -> Path:
    """Choose a tile's file from those of `tile_images`.

    Raises
    ------
    UserError
        If it is gone.
    """
    if name not in images:
        raise UserError(f"{root}: the image of tile {name} is no longer in tiles/; put it back")
    return images[name]


def tile_column(root: Path, column: str) -> list[str]:
    """Read a column of the table of the tiles.

    Parameters
    ----------
    root : Path
        The labelling folder.
    column : str
        Its name in ``tiles.csv``.

    Returns
    -------
    list of str
        A cell a tile, as it is written.

    Raises
    ------
    UserError
        If there is no such table or column.
    """
    path = Path(root) / "tiles.csv"
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; cut the slide into tiles first")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if column not in header:
            raise UserError(f"{path}: there is no column {column}; cut the slide into tiles again")
        at = header.index(column)
        return [row[at] for row in rows if len(row) > at]


def rewrite(path: Path, write: Callable[[Path], None]) -> None:
    """Change a file that others may write at the same time; what they wrote in between is never lost.

    Those who change it by this function wait for each other. For others, such as labelme, what was read is
    compared with what is on the disk just before the new file takes its place; where they differ all is done
    again.

    Parameters
    ----------
    path : Path
        The file, which need not exist.
    write : callable
        Reads it, and writes what shall take its place to the path that it is given.

    Raises
    ------
    UserError
        If the file cannot be written, and whatever `write` raises.
    """
    with locks.awaited(path.with_name(f".{path.name}.change")):
        while not _rewritten(path, write):
            pass


def _rewritten(path: Path, write: Callable[[Path], None]) -> bool:
    before = _content(path)
    try:
        with write_atomically(path) as temporary:
            write(temporary)
            if _content(path) != before:
                raise _Overtaken
    except _Overtaken:
        return False
    return True


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
