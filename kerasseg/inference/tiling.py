"""Where tiles lie, for images and volumes: a value, known before any pixel is read.

Along each axis the first tile starts at 0, the next ones follow `tile - 2 * overlap` further on, and the last
is moved back so that it ends where the image ends. Tiles stay inside the image, so its border looks to a
model as it does in the whole image; only an axis that is no multiple of `multiple_of` goes on a little beyond
its end, by reflection. With `padded`, tiles start `overlap` pixels before the image instead and all cores but
the last are alike, as in a sliding window over an image with a border around it.

`overlap` is **per side**: a tile sees at least that many pixels around its *core*, the part that it alone
answers for, wherever the image goes on. A model whose receptive field reaches no further answers there as it
would in the whole image; tiles start at multiples of `multiple_of`, so that its strides fall on the same
pixels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from kerasseg.errors import UserError


@dataclass(frozen=True)
class Tile:
    """One tile: its place in the grid, the pixels it sees (`source`) and those it alone answers for (`core`).

    Both are slices of the image; `source` may reach beyond its end, `core` never does. `inner` is the core
    counted from the tile's own start.
    """

    index: tuple[int, ...]
    source: tuple[slice, ...]
    core: tuple[slice, ...]
    inner: tuple[slice, ...]


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis: how long it is, how long they are, and where they start."""

    length: int
    tile: int
    starts: tuple[int, ...]

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """Where cores begin and end; they meet in the middle of what two neighbours share."""
        middles = ((this + self.tile + following) // 2 for this, following in itertools.pairwise(self.starts))
        return (0, *middles, self.length)

    @property
    def sources(self) -> list[slice]:
        return [slice(start, start + self.tile) for start in self.starts]

    @property
    def cores(self) -> list[slice]:
        return [slice(*ends) for ends in itertools.pairwise(self.bounds)]

    @property
    def inners(self) -> list[slice]:
        """The cores, each counted from the start of its own tile."""
        pairs = zip(self.starts, self.cores, strict=True)
        return [slice(core.start - start, core.stop - start) for start, core in pairs]


def axis(length: int, tile: int, overlap: int, multiple_of: int = 1, padded: bool = False) -> Axis:
    """Lay tiles along one axis.

    Parameters
    ----------
    length : int
        Pixels of the image.
    tile : int
        Pixels of a tile; rounded up to a multiple of `multiple_of`, and cut to what a shorter image needs.
    overlap : int
        Pixels on each side of a tile that are context.
    multiple_of : int
        What starts are multiples of.
    padded : bool
        Whether tiles start before the image.

    Returns
    -------
    Axis
    """
    tile, needed = round_up(tile, multiple_of), round_up(length, multiple_of)
    step = (tile - 2 * overlap) // multiple_of * multiple_of
    if padded:
        # The first tile that sees `overlap` pixels beyond the end is the last: one more would have no core.
        seen_beyond_end = length + overlap - tile
        return Axis(length, tile, (-overlap, *range(step - overlap, seen_beyond_end + step, step)))
    if needed <= tile:
        return Axis(length, needed, (0,))
    return Axis(length, tile, (*range(0, needed - tile, step), needed - tile))


def round_up(number: int, multiple_of: int) -> int:
    """Give the smallest multiple of `multiple_of` that is not below `number`."""
    return math.ceil(number / multiple_of) * multiple_of


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size that cover an image of any rank; iterating gives them row by row.

    Parameters
    ----------
    shape : tuple of int
        Size of the image, (Y, X) or (Z, Y, X), without channels.
    tile : int or tuple of int
        Size of a tile, for all axes or for each.
    overlap : int or tuple of int
        Pixels on each side of a tile that are context.
    multiple_of : int or tuple of int
        What tiles and their starts are multiples of: the model's stride.
    padded : bool
        Whether tiles start before the image, so that each sees `overlap` pixels beyond its border.

    Raises
    ------
    UserError
        If the image has no pixels, a number is out of range or the overlap leaves nothing of a tile.

    Examples
    --------
    >>> print(Tiling((7162, 10231), tile=128, overlap=4))
    7162 x 10231 pixels in 60 x 86 = 5160 tiles of 128 x 128, each pixel computed 1.15 times
      axis 0: 0-128, 120-248, 240-368 ... 7034-7162
      axis 1: 0-128, 120-248, 240-368 ... 10103-10231
    """

    shape: tuple[int, ...]
    tile: int | tuple[int, ...]
    overlap: int | tuple[int, ...] = 0
    multiple_of: int | tuple[int, ...] = 1
    padded: bool = False

    def __post_init__(self) -> None:
        if min(self.shape, default=0) < 1:
            raise UserError(f"an image of size {_times(self.shape)} has no pixels to predict")
        for numbers in self._each_axis():
            _check(*numbers)

    def _each_axis(self) -> Iterator[tuple[int, int, int, int]]:
        rank = len(self.shape)
        numbers = (_for_axes(number, rank) for number in (self.tile, self.overlap, self.multiple_of))
        return zip(self.shape, *numbers, strict=True)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The tiles along each axis."""
        return tuple(axis(*numbers, self.padded) for numbers in self._each_axis())

    @property
    def tile_shape(self) -> tuple[int, ...]:
        """The size that all tiles have: `tile`, made a multiple and no longer than the image needs."""
        return tuple(axis.tile for axis in self.axes)

    def first_row_below(self, pixel: int) -> int:
        """Which row of tiles is the first that reaches below a row of pixels."""
        along = self.axes[0]
        return next(row for row, start in enumerate(along.starts) if start + along.tile > pixel)

    @property
    def grid(self) -> tuple[int, ...]:
        """How many tiles lie along each axis."""
        return tuple(len(axis.starts) for axis in self.axes)

    def __len__(self) -> int:
        return math.prod(self.grid)

    def __iter__(self) -> Iterator[Tile]:
        indices = itertools.product(*(range(count) for count in self.grid))
        sources = itertools.product(*(axis.sources for axis in self.axes))
        cores = itertools.product(*(axis.cores for axis in self.axes))
        inners = itertools.product(*(axis.inners for axis in self.axes))
        yield from map(Tile, indices, sources, cores, inners)

    def __str__(self) -> str:
        times = len(self) * math.prod(self.tile_shape) / math.prod(self.shape)
        head = (
            f"{_times(self.shape)} pixels in {_times(self.grid)} = {len(self)} tiles of "
            f"{_times(self.tile_shape)}, each pixel computed {times:.2f} times"
        )
        rows = (f"  axis {number}: {_listed(axis)}" for number, axis in enumerate(self.axes))
        return "\n".join((head, *rows))


def tiles(
    shape: Sequence[int],
    tile: int | tuple[int, ...],
    overlap: int | tuple[int, ...] = 0,
    multiple_of: int | tuple[int, ...] = 1,
) -> list[Tile]:
    """List the tiles of a `Tiling`, row by row."""
    return list(Tiling(tuple(shape), tile, overlap, multiple_of))


def _for_axes(number: int | Sequence[int], rank: int) -> tuple[int, ...]:
    numbers = (number,) * rank if isinstance(number, int) else tuple(number)
    if len(numbers) != rank:
        raise UserError(f"{numbers} was given for {rank} axes; give one number, or {rank}")
    return numbers


def _check(length: int, tile: int, overlap: int, multiple_of: int) -> None:
    if tile < 1 or multiple_of < 1 or overlap < 0:
        raise UserError(
            f"tile {tile}, overlap {overlap}, multiple of {multiple_of}: expected a tile of at least 1 pixel "
            "and an overlap of at least 0 (predict.tile, predict.overlap)"
        )
    if round_up(tile, multiple_of) - 2 * overlap < multiple_of:
        raise UserError(
            f"predict.overlap {overlap} is per side and leaves too little of predict.tile {tile}; the model "
            f"wants multiples of {multiple_of}, so give a tile of at least {2 * overlap + multiple_of}"
        )


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))


def _listed(axis: Axis, most: int = 4) -> str:
    """Write down where tiles lie, leaving out the middle of many."""
    spans = [f"{source.start}-{source.stop}" for source in axis.sources]
    if len(spans) > most:
        spans = [", ".join(spans[: most - 1]) + " ... " + spans[-1]]
    return ", ".join(spans)
