"""A slide cut into tiles on the disk: ``tiles/`` and ``tiles.csv`` of a labelling folder.

The slide is read by region, a row of tiles after another, so that it may be of any size. Every tile appears
by rename.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.padding import cut
from kerasseg.images.preprocessing import stretch
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.tiling import Tile
from kerasseg.labelling import folder, tables
from kerasseg.labelling.folder import SlideTile, existing_tile, read_tiles, tile_path
from kerasseg.labelling.slide import cropping, describe_crop, is_finished
from kerasseg.labelling.sliding_window import SlidingWindow
from kerasseg.synthetic.origin import inherit

DIGITS = 6  # of means and deviations


def crop(slide: Path, root: Path, axes: str | None = None, **window: Any) -> list[SlideTile]:
    """Cut a slide into tiles; done at once where they are there, resumed where some are.

    Parameters
    ----------
    slide : Path
        A 2-D image of any size that `kerasseg.images.stores.store.open_store` opens: uint8, uint16, or
        float in [0, 1], of any number of channels.
    root : Path
        The labelling folder.
    axes : str, optional
        The stored axes, where the file does not say.
    **window
        The arguments of `kerasseg.labelling.sliding_window.SlidingWindow`, but for the size.

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
        if store.axes != "YXC":
            raise UserError(
                f"{slide}: this is a volume of {' x '.join(map(str, store.shape[:-1]))} voxels; expected "
                "a 2-D slide. Save one plane of it, or its projection, as an image"
            )
        sliding = SlidingWindow(size=store.shape[:2], **window)
        settings = describe_crop(root, slide, store, axes, sliding)
        if is_finished(root, settings) and _are_there(root):
            return read_tiles(root)
        with cropping(root, settings):
            inherit(slide.parent, root)
            tiles = list(_cut(store, sliding, root / folder.TILES))
            with write_atomically(root / folder.TILE_TABLE) as temporary:
                temporary.write_text(tables.to_csv(tiles, SlideTile), encoding="utf-8", newline="\n")
    say(f"{slide}: cut into {len(tiles)} tiles, in {root / folder.TILES}")
    if not any(tile.mean for tile in tiles):
        say(f"{slide}: all tiles are black; is this the right channel?", style="yellow")
    return tiles


def read_tile(root: Path, name: str) -> np.ndarray:
    """Read a tile (tile, tile, C) as it is stored: uint8, uint16 or float32.

    Raises
    ------
    UserError
        If it is gone or damaged.
    """
    return files.read(existing_tile(root, name))


def _cut(store: Store, window: SlidingWindow, directory: Path) -> Iterator[SlideTile]:
    """Write the tiles that are missing, and describe all."""
    there = {path.name for path in directory.iterdir()}
    suffix = ".png" if store.dtype != np.float32 and store.shape[-1] in (1, 3) else ".tif"
    with ThreadPoolExecutor() as threads:
        for row in track(window.rows, f"{store.path.name}: cutting rows of tiles"):
            images = window.cut(store, row)
            paths = [directory / f"{window.name(tile)}{suffix}" for tile in row]
            _check_unit_range(store, images)
            missing = [
                (path, image) for path, image in zip(paths, images, strict=True) if path.name not in there
            ]
            list(threads.map(lambda pair: files.write(*pair), missing))
            yield from (_described(window, *pair) for pair in zip(row, images, strict=True))


def _described(window: SlidingWindow, tile: Tile, pixels: np.ndarray) -> SlideTile:
    white = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    mean = pixels.mean(dtype=np.float64) / white
    deviation = pixels.std(dtype=np.float64) / white
    y, x = (part.start for part in tile.core)
    rounded = (float(f"{number:.{DIGITS}g}") for number in (mean, deviation))  # as it is written down
    return SlideTile(window.name(tile), *tile.index, y, x, window.part(tile), *rounded)


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
    if not (root / folder.TILE_TABLE).is_file() or not (root / folder.TILES).is_dir():
        return False
    there = {path.stem for path in (root / folder.TILES).iterdir()}
    return all(tile.name in there for tile in read_tiles(root))


class TilePixels:
    """The pixels of a slide's tiles, of one size and type, read when they are asked for.

    Parameters
    ----------
    root : Path
        The labelling folder.
    tiles : sequence of SlideTile
        At least one.
    normalise : Normalisation
        What becomes 0 and 1. It looks at all tiles together, so that dark tiles stay dark.

    Attributes
    ----------
    tiles : tuple of SlideTile
    shape : tuple of int
        (Y, X, C) of each tile.
    """

    def __init__(self, root: Path, tiles: Sequence[SlideTile], normalise: Normalisation) -> None:
        self.root = root
        self.tiles = tuple(tiles)
        first = read_tile(root, tiles[0].name)
        self.shape, self._dtype = first.shape, first.dtype
        self._limits = normalise.limits(lambda: (self._read(tile.name) for tile in self.tiles), first.dtype)

    def __len__(self) -> int:
        """Count the tiles."""
        return len(self.tiles)

    def batch(self, places: Sequence[int], multiple_of: int = 1) -> np.ndarray:
        """Read some tiles.

        Parameters
        ----------
        places : sequence of int
            Their places in `tiles`.
        multiple_of : int
            The stride of a network: sides that are not a multiple of it are extended, mirrored.

        Returns
        -------
        numpy.ndarray, shape (B, Y, X, C), float32 in [0, 1]

        Raises
        ------
        UserError
            If a tile is gone, damaged, or of another size or type than the first.
        """
        padded = tuple(slice(0, -(-side // multiple_of) * multiple_of) for side in self.shape[:2])
        tiles = (self._read(self.tiles[place].name) for place in places)
        return np.stack([cut(stretch(tile, self._limits), padded) for tile in tiles])

    def _read(self, name: str) -> np.ndarray:
        pixels = read_tile(self.root, name)
        if (pixels.shape, pixels.dtype) != (self.shape, self._dtype):
            raise UserError(
                f"{tile_path(self.root, name)}: the tile is {pixels.shape} {pixels.dtype}; expected "
                f"{self.shape} {self._dtype}, as {self.tiles[0].name} is. Crop the slide again"
            )
        return pixels
