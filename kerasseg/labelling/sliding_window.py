"""The sliding window that cuts a slide into tiles: a value, known before a pixel is read.

A window of `tile` pixels moves over the slide in steps of `tile - 2 * margin`, beginning `margin` pixels
before it, until the slide is covered. Each tile alone answers for its core, which is what is left of it
without `margin` pixels on every side; cores lie side by side, so that together they are the slide. A tile's
name is its row and column in that grid, counted from 0: ``003-017``.

The C-fos paper's window is of 128 pixels, with margins of 4 that are black beyond the slide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.images.padding import PADDINGS, cut
from kerasseg.inference.tiled import Pixels
from kerasseg.inference.tiling import Tile, Tiling

BEYOND = ("zero", "reflect", "edge")
DIGITS = 3  # of a row or column in a name; more where a grid has more than a thousand

Region = tuple[int, int, int, int]
"""A part of a slide in pixels: y, x, height, width."""


@dataclass(frozen=True, kw_only=True)
class SlidingWindow:
    """The tiles of a slide.

    Parameters
    ----------
    size : tuple of int
        Height and width of the slide.
    tile : int
        Pixels of a tile's side.
    margin : int
        Pixels on each side of a tile that are not of its core.
    padding : {"zero", "reflect", "edge"}
        What lies beyond the slide; see `kerasseg.images.padding`.
    region : tuple of int or None
        (y, x, height, width): only tiles whose cores lie in it are cut.
    test_region : tuple of int or None
        (y, x, height, width): tiles that see nothing but it are for testing.

    Raises
    ------
    UserError
        With everything that makes no sense.
    """

    size: tuple[int, int]
    tile: int
    margin: int
    padding: str
    region: Region | None
    test_region: Region | None

    def __post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise UserError(*mistakes)
        if self.region is not None and not self.rows:
            raise UserError(f"region {self.region}: no core of a tile, {self._core} pixels wide, lies in it")
        if self.test_region is not None and "test" not in map(self.part, itertools.chain(*self.rows)):
            raise UserError(
                f"test_region {self.test_region}: no tile of {self.tile} pixels that is cut lies wholly in "
                "it; give a larger one, or one that shares more with region"
            )

    def _mistakes(self) -> Iterator[str]:
        if self.tile < 1 or self.margin < 0 or self._core < 1:
            yield (
                f"tile {self.tile}, margin {self.margin}: expected a margin, per side, of 0 or more, and "
                f"a tile of at least {2 * max(self.margin, 0) + 1}"
            )
        if self.padding not in BEYOND:
            yield unknown("padding", self.padding, BEYOND)
        for name in ("region", "test_region"):
            region = getattr(self, name)
            if region is not None and not _is_inside(region, self.size):
                height, width = self.size
                yield (
                    f"{name} {region}: expected (y, x, height, width) of at least one pixel inside the "
                    f"slide, which is {height} pixels high and {width} wide"
                )

    @property
    def _core(self) -> int:
        return self.tile - 2 * self.margin

    @cached_property
    def tiling(self) -> Tiling:
        """The whole slide's tiles."""
        return Tiling(self.size, self.tile, self.margin, padded=True)

    @cached_property
    def rows(self) -> list[list[Tile]]:
        """The tiles that are cut, row by row; rows without any are left out."""
        wanted = (tile for tile in self.tiling if self.region is None or _within(tile.core, self.region))
        return [list(row) for _, row in itertools.groupby(wanted, lambda tile: tile.index[0])]

    def name(self, tile: Tile) -> str:
        """Name a tile by its row and column, such as ``003-017``."""
        digits = max(DIGITS, len(str(max(self.tiling.grid) - 1)))
        return "-".join(f"{number:0{digits}d}" for number in tile.index)

    def part(self, tile: Tile) -> str:
        """Say what a tile is for: "train" or "test", or "" where it sees pixels of both.

        Mirrored pixels are seen where they come from, so that no test pixel is ever in a training tile.
        """
        if self.test_region is None:
            return "train"
        visible = []
        for source, length in zip(tile.source, self.size, strict=True):
            pixels = PADDINGS[self.padding](np.arange(source.start, source.stop), length)
            visible.append(slice(int(pixels.min()), int(pixels.max()) + 1))
        if _within(visible, self.test_region):
            return "test"
        y, x, height, width = self.test_region
        rows, columns = visible
        touches = rows.start < y + height and y < rows.stop and columns.start < x + width and x < columns.stop
        return "" if touches else "train"

    def cut(self, slide: Pixels, row: Sequence[Tile]) -> list[np.ndarray]:
        """Cut the tiles of a row, which is read as one band.

        Parameters
        ----------
        slide : np.ndarray or what can be sliced like one
            (Y, X, C).
        row : sequence of Tile
            One of `rows`.

        Returns
        -------
        list of np.ndarray, (tile, tile, C)
        """
        left, right = row[0].source[1].start, row[-1].source[1].stop
        band = cut(slide, (row[0].source[0], slice(left, right)), self.padding)
        return [band[:, tile.source[1].start - left : tile.source[1].stop - left] for tile in row]


def _is_inside(region: Region, size: tuple[int, int]) -> bool:
    if len(region) != 4:
        return False
    starts, lengths = region[:2], region[2:]
    ends = zip(starts, lengths, size, strict=True)
    return all(start >= 0 and length >= 1 and start + length <= most for start, length, most in ends)


def _within(part: Sequence[slice], region: Region) -> bool:
    y, x, height, width = region
    rows, columns = part
    return y <= rows.start and rows.stop <= y + height and x <= columns.start and columns.stop <= x + width
