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
from kerasseg.inference.tiling import Axis, Tile, Tiling

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

Answers = Iterator[tuple[Tile, np.ndarray]]
Rows = Iterator[tuple[int, Answers]]  # each row of tiles with its number
Bands = Iterator[tuple[slice, np.ndarray]]


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
    shape, sources = window(axis.tile), [_shifted(source, axis) for source in axis.sources]
    total = np.zeros(_extent(axis))
    for source in sources:
        total[source] += shape
    return np.stack([shape / total[source] for source in sources]).astype(np.float32)


def bands(tiling: Tiling, answers: Iterable[tuple[Tile, np.ndarray]], blend: str = "hann") -> Bands:
    """Merge tiles into bands of finished rows.

    Parameters
    ----------
    tiling : Tiling
        Where the tiles lie.
    answers : iterable of (Tile, np.ndarray)
        Every tile, in the tiling's order, with its (*tile_shape, K) float32.
    blend : {"crop", "constant", "gaussian", "hann"}
        How tiles share the pixels in which they overlap.

    Returns
    -------
    iterator of (slice, np.ndarray)
        Rows of the image (planes of a volume), each once, from the top, with their (rows, X, K) float32: a
        view that is valid until the next band is asked for.

    Raises
    ------
    UserError
        If the blend is unknown.
    """
    if blend not in BLENDS:
        raise UserError(unknown("blend", blend, BLENDS))
    answers = iter(answers)
    first = next(answers)
    channels = first[1].shape[-1]
    rows = itertools.groupby(itertools.chain([first], answers), key=lambda pair: pair[0].index[0])
    if blend == "crop":
        return _cropped(tiling, rows, channels)
    return _blended(tiling, rows, channels, WINDOWS[blend])


def _cropped(tiling: Tiling, rows: Rows, channels: int) -> Bands:
    """Lay cores side by side; a band is as high as a row of cores."""
    cores = tiling.axes[0].cores
    band = np.empty((max(map(_length, cores)), *tiling.shape[1:], channels), np.float32)
    for row, answers in rows:
        finished = band[: _length(cores[row])]
        for tile, answer in answers:
            finished[(slice(None), *tile.core[1:])] = answer[tile.inner]
        yield cores[row], finished


def _blended(tiling: Tiling, rows: Rows, channels: int, window: Callable[[int], np.ndarray]) -> Bands:
    """Add weighted tiles up; a band is as high as a tile, and scrolls down by what is finished."""
    across = tiling.axes[1:]
    band = np.zeros((tiling.tile_shape[0], *map(_extent, across), channels), np.float32)
    weighted = np.empty((*tiling.tile_shape, channels), np.float32)
    axis_weights = _axis_weights(tiling, window, channels)
    columns = tuple(_shifted(slice(0, axis.length), axis) for axis in across)
    starts = (*tiling.axes[0].starts, tiling.shape[0])
    for row, answers in rows:
        for tile, answer in answers:
            *along_others, along_x = (of[place] for of, place in zip(axis_weights, tile.index, strict=True))
            np.multiply(answer, along_x, out=weighted)
            for along in along_others:
                weighted *= along
            band[(slice(None), *map(_shifted, tile.source[1:], across))] += weighted
        # No tile of the rows below reaches above the start of the next; the first may start before the image.
        start, stop = starts[row : row + 2]
        finished = slice(max(start, 0), max(stop, 0))
        if _length(finished):
            yield finished, band[(slice(finished.start - start, stop - start), *columns)]
        kept = max(len(band) - (stop - start), 0)
        band[:kept] = band[len(band) - kept :]
        band[kept:] = 0


def _axis_weights(tiling: Tiling, window: Callable[[int], np.ndarray], channels: int) -> list[np.ndarray]:
    """Shape each axis' weights such that those of one tile multiply its (Y, X, K)."""
    rank = len(tiling.shape)
    each_axis = [weights(axis, window) for axis in tiling.axes]
    # Written out for the channels along the last axis: an inner loop over a few channels would be slow.
    each_axis[-1] = np.repeat(each_axis[-1], channels, axis=1)
    last = (*[1] * (rank - 1), tiling.tile_shape[-1], channels)
    shapes = [tuple(-1 if other == axis else 1 for other in range(rank + 1)) for axis in range(rank - 1)]
    return [of.reshape(len(of), *shape) for of, shape in zip(each_axis, (*shapes, last), strict=True)]


def _extent(axis: Axis) -> int:
    """How many pixels lie between the start of the first tile and the end of the last."""
    return axis.starts[-1] + axis.tile - axis.starts[0]


def _shifted(part: slice, axis: Axis) -> slice:
    """Count a part of the image from the start of the first tile."""
    return slice(part.start - axis.starts[0], part.stop - axis.starts[0])


def _length(part: slice) -> int:
    return part.stop - part.start
