"""How tiles become one image again, a band of rows at a time.

A blend is a window along one axis. Tiles lie on a grid, so the weight of a pixel in a tile is the product of
one number per axis, and dividing each axis' windows by their sum makes all weights of a pixel add up to 1:
nothing has to be divided afterwards, and no array of weights is kept. `crop` takes each pixel from the tile
whose core holds it, without any sum.

Rows above the next row of tiles are finished. They are handed on at once, so that memory is bounded by one
row of tiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.prediction.tiling import Axis, Tile, Tiling

GAUSSIAN_SIGMA = 1 / 8  # of the tile's length


def constant(tile: int) -> np.ndarray:
    """Weigh all pixels of a tile alike."""
    return np.ones(tile)


def hann(tile: int) -> np.ndarray:
    """Weigh by one arch of a squared sine, 0 half a pixel outside the tile (Pielawski and Wählby 2020).

    doi:10.1371/journal.pone.0229839
    """
    return np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2


def gaussian(tile: int) -> np.ndarray:
    """Weigh by a Gaussian around the tile's centre, as nnU-Net does (doi:10.1038/s41592-020-01008-z)."""
    from_centre = (np.arange(tile) + 0.5) / tile - 0.5
    return np.exp(-0.5 * (from_centre / GAUSSIAN_SIGMA) ** 2)


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {"constant": constant, "gaussian": gaussian, "hann": hann}
BLENDS = ("crop", *WINDOWS)

Put = Callable[[np.ndarray, Tile, np.ndarray], None]


def weights(axis: Axis, window: Callable[[int], np.ndarray]) -> np.ndarray:
    """Give each tile along an axis its weights, such that those of every pixel add up to 1.

    Parameters
    ----------
    axis : Axis
        N tiles of length T.
    window : callable
        From a length to that many positive numbers.

    Returns
    -------
    np.ndarray
        (N, T) float32.
    """
    shape = window(axis.tile)
    total = np.zeros(axis.starts[-1] + axis.tile)
    for source in axis.sources:
        total[source] += shape
    return np.stack([shape / total[source] for source in axis.sources]).astype(np.float32)


def bands(
    tiling: Tiling, answers: Iterable[tuple[Tile, np.ndarray]], blend: str = "hann"
) -> Iterator[tuple[slice, np.ndarray]]:
    """Merge tiles into bands of finished rows.

    Parameters
    ----------
    tiling : Tiling
        Where the tiles lie.
    answers : iterable of (Tile, np.ndarray)
        Every tile, in the tiling's order, with its (*tile_shape, K) float32.
    blend : {"crop", "constant", "gaussian", "hann"}
        How tiles share the pixels in which they overlap.

    Yields
    ------
    slice
        Rows of the image (planes of a volume), each once, from the top.
    np.ndarray
        (rows, X, K) float32: a view that is valid until the next band is asked for.

    Raises
    ------
    UserError
        If the blend is unknown.
    """
    if blend not in BLENDS:
        raise UserError(unknown("blend", blend, BLENDS))
    first, answers = _peek(answers)
    band = np.zeros(_band_shape(tiling, channels=first.shape[-1]), np.float32)
    put = _place if blend == "crop" else _adder(tiling, WINDOWS[blend], first.shape)
    columns = tuple(slice(0, length) for length in tiling.shape[1:])
    for row, group in itertools.groupby(answers, key=lambda pair: pair[0].index[0]):
        for tile, answer in group:
            put(band, tile, answer)
        rows = _finished(tiling, row)
        yield rows, band[(slice(0, rows.stop - rows.start), *columns)]
        _scroll(band, rows.stop - rows.start)


def _peek(answers: Iterable[tuple[Tile, np.ndarray]]) -> tuple[np.ndarray, Iterator[tuple[Tile, np.ndarray]]]:
    """Look at the first answer without losing it."""
    answers = iter(answers)
    first = next(answers)
    return first[1], itertools.chain([first], answers)


def _band_shape(tiling: Tiling, channels: int) -> tuple[int, ...]:
    """One row of tiles, from its top to its bottom, as wide as the tiles reach."""
    widths = (axis.starts[-1] + axis.tile for axis in tiling.axes[1:])
    return (tiling.tile_shape[0], *widths, channels)


def _finished(tiling: Tiling, row: int) -> slice:
    """Tell which rows no tile below this row of tiles touches."""
    starts = (*tiling.axes[0].starts, tiling.shape[0])
    return slice(starts[row], starts[row + 1])


def _scroll(band: np.ndarray, rows: int) -> None:
    """Move what is not finished to the top, and clear the rest."""
    kept = max(len(band) - rows, 0)
    band[:kept] = band[len(band) - kept :].copy()
    band[kept:] = 0


def _place(band: np.ndarray, tile: Tile, answer: np.ndarray) -> None:
    """Write a tile's core."""
    band[(tile.inner[0], *tile.core[1:])] = answer[tile.inner]


def _adder(tiling: Tiling, window: Callable[[int], np.ndarray], shape: tuple[int, ...]) -> Put:
    """Make the function that adds a tile to the band under its weights."""
    each_axis = [weights(axis, window) for axis in tiling.axes]
    weighted = np.empty(shape, np.float32)

    def add(band: np.ndarray, tile: Tile, answer: np.ndarray) -> None:
        for axis, number in enumerate(tile.index):
            along = [1] * answer.ndim
            along[axis] = -1
            answer = np.multiply(answer, each_axis[axis][number].reshape(along), out=weighted)
        band[(slice(None), *tile.source[1:])] += answer

    return add
