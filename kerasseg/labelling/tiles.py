"""A slide as tiles on the disk, and back: ``tiles/`` and ``tiles.csv`` of a labelling folder.

The slide is read by region, a row of tiles after another, so that it may be of any size. Every tile appears
by rename.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.tiling import Tile
from kerasseg.labelling.slide import TILES, begin, described, finish, is_finished, read_window
from kerasseg.labelling.sliding import Region, SlidingWindow
from kerasseg.synthetic.origin import inherit

TABLE = "tiles.csv"
DIGITS = 6  # of means and deviations


@dataclass(frozen=True)
class SlideTile:
    """A tile of a slide.

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
        Of its intensities, over all channels, in [0, 1] by the range of their type.
    """

    name: str
    row: int
    column: int
    y: int
    x: int
    part: str
    mean: float
    deviation: float


COLUMNS = tuple(field.name for field in fields(SlideTile))


def crop(
    slide: Path,
    root: Path,
    *,
    tile: int = 128,
    margin: int = 4,
    padding: str = "zero",
    region: Region | None = None,
    test_region: Region | None = None,
    axes: str | None = None,
) -> list[SlideTile]:
    """Cut a slide into tiles; done at once where they are there, gone on with where some are.

    Parameters
    ----------
    slide : Path
        A 2-D image of any size that `kerasseg.images.stores.store.open_store` opens: uint8, uint16, or
        float in [0, 1], of any number of channels.
    root : Path
        The labelling folder.
    tile, margin, padding, region, test_region
        See `kerasseg.labelling.sliding.SlidingWindow`.
    axes : str, optional
        What the stored axes are, where the file does not say.

    Returns
    -------
    list of SlideTile
        In row-major order.

    Raises
    ------
    UserError
        If the slide cannot be read or is a volume, the settings make no sense, or a queue is there that
        belongs to another slide or other settings.
    """
    slide, root = Path(slide), Path(root)
    with open_store(slide, axes) as store:
        _check_flat(store)
        window = SlidingWindow(store.shape[:2], tile, margin, padding, region, test_region)
        asked = described(root, slide, store, axes, window)
        if is_finished(root, asked) and _are_there(root):
            return read_tiles(root)
        begin(root, asked)
        inherit(slide.parent, root)
        tiles = list(_cut(store, window, root / TILES))
    _write_table(root / TABLE, tiles)
    finish(root, asked)
    _tell(slide, root, tiles)
    return tiles


def read_tiles(root: Path) -> list[SlideTile]:
    """Read which tiles a slide was cut into, in row-major order.

    Raises
    ------
    UserError
        If ``tiles.csv`` is missing, or not what `crop` wrote.
    """
    path = Path(root) / TABLE
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; crop the slide first")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [tuple(row) for row in csv.reader(file)] or [()]
    try:
        if header != COLUMNS:
            raise ValueError(f"the columns {', '.join(header)}")
        return [SlideTile(*(kind(text) for kind, text in zip(_KINDS, row, strict=True))) for row in rows]
    except ValueError as error:
        raise UserError(
            f"{path}: {error}; expected the columns {', '.join(COLUMNS)} with a line a tile. Remove the file "
            "and crop the slide again"
        ) from error


_KINDS = (str, int, int, int, int, str, float, float)


def tile_path(root: Path, name: str) -> Path:
    """Give the file of a tile: a PNG, or a TIFF where PNG cannot hold it."""
    path = Path(root) / TILES / f"{name}.tif"
    return path if path.is_file() else path.with_suffix(".png")


def read_tile(root: Path, name: str) -> np.ndarray:
    """Read a tile (tile, tile, C) as it is stored: uint8, uint16 or float32.

    Raises
    ------
    UserError
        If it is gone or damaged.
    """
    path = tile_path(root, name)
    if not path.is_file():
        raise UserError(
            f"{path}: this tile is gone; crop the slide again, which writes those that are missing"
        )
    return files.read(path)


def recombine(root: Path) -> Iterator[tuple[slice, np.ndarray]]:
    """Lay the cores of the tiles side by side: the inverse of `crop`, a row of tiles at a time.

    Yields
    ------
    tuple of slice and numpy.ndarray
        Rows of the slide, with their pixels (rows, X, C); 0 where no tile was cut. Rows of which none was
        cut are left out.

    Raises
    ------
    UserError
        If no slide was cut here, or a tile is gone or damaged.
    """
    window = read_window(root)
    for row in window.rows:
        yield row[0].core[0], window.together(row, (read_tile(root, window.name(each)) for each in row))


def _cut(store: Store, window: SlidingWindow, folder: Path) -> Iterator[SlideTile]:
    """Write the tiles that are not there, and describe all."""
    there = {path.name for path in folder.iterdir()}
    suffix = ".png" if store.dtype != np.float32 and store.shape[-1] in (1, 3) else ".tif"
    with ThreadPoolExecutor() as threads:
        for row in track(window.rows, f"{store.path.name}: cutting rows of tiles"):
            tiles = window.cut(store, row)
            paths = [folder / f"{window.name(each)}{suffix}" for each in row]
            missing = [pair for pair in zip(paths, tiles, strict=True) if pair[0].name not in there]
            _check_unit_range(store, tiles)
            list(threads.map(files.write, *zip(*missing, strict=True)) if missing else ())
            yield from (_described(window, each, pixels) for each, pixels in zip(row, tiles, strict=True))


def _described(window: SlidingWindow, tile: Tile, pixels: np.ndarray) -> SlideTile:
    white = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    numbers = pixels.mean(dtype=np.float64) / white, pixels.std(dtype=np.float64) / white
    y, x = (part.start for part in tile.core)
    rounded = (float(f"{number:.{DIGITS}g}") for number in numbers)  # as it is written down
    return SlideTile(window.name(tile), *tile.index, y, x, window.part(tile), *rounded)


def _check_flat(store: Store) -> None:
    if store.axes != "YXC":
        raise UserError(
            f"{store.path}: it is a volume of {' x '.join(map(str, store.shape[:-1]))} voxels; expected "
            "a 2-D slide. Save one plane of it, or its projection, as an image"
        )


def _check_unit_range(store: Store, tiles: list[np.ndarray]) -> None:
    if store.dtype != np.float32:
        return
    low, high = min(tile.min() for tile in tiles), max(tile.max() for tile in tiles)
    if not (low >= 0 and high <= 1):
        raise UserError(
            f"{store.path}: float intensities lie in [{low:g}, {high:g}]; expected [0, 1]. Save the slide as "
            "uint8 or uint16, or scaled to [0, 1]"
        )


def _are_there(root: Path) -> bool:
    if not (root / TABLE).is_file() or not (root / TILES).is_dir():
        return False
    there = {path.stem for path in (root / TILES).iterdir()}
    return all(tile.name in there for tile in read_tiles(root))


def _write_table(path: Path, tiles: list[SlideTile]) -> None:
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([COLUMNS, *(vars(tile).values() for tile in tiles)])


def _tell(slide: Path, root: Path, tiles: list[SlideTile]) -> None:
    say(f"{slide}: cut into {len(tiles)} tiles, in {root / TILES}")
    if not any(tile.mean for tile in tiles):
        say(f"{slide}: all tiles are black; is this the right channel?", style="yellow")
