"""A slide's folder as the pages of the labelling loop see it: its tiles by one contrast, where each lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.resize import resize
from kerasseg.labelling.folder import SlideTile, read_tiles
from kerasseg.labelling.slide import read_slide
from kerasseg.labelling.tiles import read_tile
from kerasseg.report import pictures, sheets
from kerasseg.report.pictures import Limits

ENOUGH = 400  # tiles, evenly spread over the slide, to find its contrast by
NOWHERE = 236  # the grey of places where no tile lies


@dataclass(frozen=True)
class Slide:
    """Tiles and where they lie.

    Attributes
    ----------
    root : Path
        The slide's folder.
    cut : dict
        What ``slide.json`` says: the slide, and how it was cut.
    tiles : dict of str to SlideTile
        The tiles by their names.
    places : dict of tuple to str
        Names by row and column.
    limits : tuple of np.ndarray
        The contrast by which all are shown.
    """

    root: Path
    cut: dict
    tiles: dict[str, SlideTile]
    places: dict[tuple[int, int], str]
    limits: Limits

    @property
    def file(self) -> str:
        """The name of the slide's file."""
        return Path(self.cut["slide"]["path"]).name

    @property
    def grid(self) -> tuple[int, int]:
        """How many rows and columns have tiles: those of a region need not begin at 0."""
        (top, left), (rows, columns) = self.corner, zip(*self.places, strict=True)
        return max(rows) - top + 1, max(columns) - left + 1

    @cached_property
    def corner(self) -> tuple[int, int]:
        """The first row and the first column that have tiles."""
        rows, columns = zip(*self.places, strict=True)
        return min(rows), min(columns)

    def place(self, name: str) -> tuple[int, int]:
        """Row and column of a tile on the slide."""
        return self.tiles[name].row, self.tiles[name].column

    def spot(self, name: str) -> tuple[int, int]:
        """Row and column of a tile on a map, which begins where the tiles do."""
        (row, column), (top, left) = self.place(name), self.corner
        return row - top, column - left

    def picture(self, name: str) -> np.ndarray:
        """Show a tile: (Y, X, 3) uint8."""
        return pictures.display(read_tile(self.root, name), self.limits)

    def core(self, name: str) -> np.ndarray:
        """Show a tile without the margin that it shares with its neighbours: (Y, X, 3) uint8."""
        margin, picture = self.cut["margin"], self.picture(name)
        return picture[margin : picture.shape[0] - margin, margin : picture.shape[1] - margin]

    def around(self, name: str, reach: int = 1) -> np.ndarray:
        """Show a tile amid its neighbours, all without margins: (Y, X, 3) uint8, grey where there is none."""
        row, column = self.place(name)
        near = range(-reach, reach + 1)
        nothing = np.full_like(self.core(name), NOWHERE)
        names = [[self.places.get((row + down, column + right)) for right in near] for down in near]
        return np.vstack([np.hstack([self.core(n) if n else nothing for n in line]) for line in names])

    def overview(self, names: Iterable[str], side: int) -> np.ndarray:
        """Show the whole slide, each tile's core on `side` x `side` pixels: (Y, X, 3) uint8."""
        return self.map({name: resize(self.core(name), (side, side)) for name in names}, side)

    def map(self, squares: dict[str, np.ndarray], side: int) -> np.ndarray:
        """Lay squares, colours (3,) or pictures (side, side, 3), where their tiles lie."""
        rows, columns = self.grid
        drawn = np.full((rows * side, columns * side, 3), NOWHERE, np.uint8)
        for name, square in squares.items():
            y, x = (side * at for at in self.spot(name))
            drawn[y : y + side, x : x + side] = square
        return drawn


def open_slide(root: Path) -> Slide:
    """Read what a slide was cut into, and find its contrast.

    Parameters
    ----------
    root : Path
        A folder with ``slide.json``, ``tiles.csv`` and ``tiles``.

    Returns
    -------
    Slide

    Raises
    ------
    UserError
        If one of them is missing or holds no tile.
    """
    root = Path(root)
    tiles = {tile.name: tile for tile in read_tiles(root)}
    if not tiles:
        raise UserError(f"{root}: there are no tiles; crop the slide first")
    places = {(tile.row, tile.column): name for name, tile in tiles.items()}
    some = list(tiles)[:: -(-len(tiles) // ENOUGH)]
    limits = sheets.contrast([read_tile(root, name) for name in some])
    return Slide(root, read_slide(root), tiles, places, limits)
