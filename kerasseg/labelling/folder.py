"""What lies where in a labelling folder, and how its files are changed without losing what others wrote.

==================  ==================================================================================
file                what it holds
==================  ==================================================================================
slide.json          which slide was cut, and how; ``.crop.json`` as long as that is not finished
tiles.csv, tiles/   the tiles: where each lies, and its pixels as a PNG, or as a TIFF where PNG cannot
embeddings.npy      an embedding for each tile; ``embeddings.json`` says how they were made
encoder.keras       the network that made them, if there is one
clusters.csv        the cluster of each tile; ``clusters.html`` shows them
queue.csv           the review queue: a line for each tile that was selected
queue/              what labelme opens: for each tile its view, an 8-bit PNG, and its drawing, a JSON
sheets/             contact sheets of what waits
==================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kerasseg import locks
from kerasseg.errors import UserError, unwritable
from kerasseg.labelling import tables

SLIDE, UNFINISHED_SLIDE = "slide.json", ".crop.json"
TILES, TILE_TABLE = "tiles", "tiles.csv"
EMBEDDINGS, EMBEDDINGS_RECORD, ENCODER = "embeddings.npy", "embeddings.json", "encoder.keras"
CLUSTERS, CLUSTERS_PAGE = "clusters.csv", "clusters.html"
QUEUE, DRAWINGS, SHEETS = "queue.csv", "queue", "sheets"
LOCK = ".lock"


@dataclass(frozen=True)
class SlideTile:
    """A tile of a slide: a line of ``tiles.csv``.

    Attributes
    ----------
    name : str
        Row and column in the slide's grid, such as ``003-017``.
    row, column : int
        The same as numbers, counted from 0.
    y, x : int
        The upper left pixel of the tile's core on the slide.
    part : str
        "train" or "test"; "" for a tile that sees pixels of both.
    mean, deviation : float
        Mean and standard deviation of its intensities over all channels, in [0, 1] by the type's range.
    """

    name: str
    row: int
    column: int
    y: int
    x: int
    part: str
    mean: float
    deviation: float


def read_tiles(root: Path) -> list[SlideTile]:
    """Read which tiles a slide was cut into, in row-major order.

    Raises
    ------
    UserError
        If ``tiles.csv`` is missing or damaged.
    """
    path = Path(root) / TILE_TABLE
    state = path.stat() if path.is_file() else None
    return list(_read_tiles(path, state and (state.st_mtime_ns, state.st_size, state.st_ino)))


@lru_cache(maxsize=1)
def _read_tiles(path: Path, state: tuple[int, int, int] | None) -> list[SlideTile]:
    """Read a table once as long as it is in one state: a review asks for it at every key."""
    return tables.read(path, SlideTile, "crop the slide")


def tile_path(root: Path, name: str) -> Path:
    """Give the file of a tile: a PNG, or a TIFF where PNG cannot hold it."""
    path = Path(root) / TILES / f"{name}.tif"
    return path if path.is_file() else path.with_suffix(".png")


def existing_tile(root: Path, name: str) -> Path:
    """Give the file of a tile.

    Raises
    ------
    UserError
        If it is gone.
    """
    path = tile_path(root, name)
    if not path.is_file():
        raise UserError(
            f"{path}: this tile is gone; crop the slide again, which writes those that are missing"
        )
    return path


def queue_path(root: Path) -> Path:
    """Give the file of the review queue."""
    return Path(root) / QUEUE


def view_path(root: Path, tile: str) -> Path:
    """Give the image of a tile that labelme shows."""
    return Path(root) / DRAWINGS / f"{tile}.png"


def drawing_path(root: Path, tile: str) -> Path:
    """Give the labelme file of a tile."""
    return Path(root) / DRAWINGS / f"{tile}.json"


class SharedFile:
    """A file that others may write at any time: labelme, git, a spreadsheet.

    Attributes
    ----------
    path : Path
        The file, which need not exist.
    draft : Path
        Where to write what shall take its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.draft = path.with_name(f".{path.stem}.draft{path.suffix}")

    def content(self) -> bytes | None:
        """Read the file; None where there is none."""
        return self.path.read_bytes() if self.path.is_file() else None

    def replace(self, before: bytes | None) -> bool:
        """Put the draft in place of the file, unless that no longer holds what it held `before`."""
        if self.content() != before:
            return False
        self.draft.replace(self.path)
        return True


@contextmanager
def shared(path: Path) -> Iterator[SharedFile]:
    """Change a file that others may write at the same time, so that nothing that they write is lost.

    Processes that change it through here wait for each other. Others, such as labelme, do not: so read
    `content`, write the `draft` after it, and repeat both until `replace` succeeds.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with locks.awaited(path.with_name(f".{path.name}.change")):
        file = SharedFile(path)
        try:
            yield file
        except OSError as error:
            raise unwritable(path, error) from error
        finally:
            file.draft.unlink(missing_ok=True)
