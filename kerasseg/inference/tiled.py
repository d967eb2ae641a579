"""From an image of any size to probabilities: cut into tiles, answer in batches, merge.

probabilities = predict(image, forward(model), tile=256, overlap=32)

An image is whatever gives pixels when it is sliced: an array, or a file that is read by region. What comes
out of `predicted_bands` are bands of finished rows, so that neither the image nor the answer need be in
memory; and it can begin at any row that an earlier band ended with.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from kerasseg.inference.ahead import DEPTH, ahead
from kerasseg.inference.blending import Answers, Bands, bands
from kerasseg.inference.compiling import Forward
from kerasseg.inference.forward import empty_once
from kerasseg.inference.padding import cut
from kerasseg.inference.symmetries import averaged
from kerasseg.inference.tiling import Tile, Tiling

STRIDE = 32  # of the deepest encoders: sizes that are multiples of it suit every model


class Pixels(Protocol):
    """What can be sliced like an array of shape (Y, X, C) or (Z, Y, X, C), float32 in [0, 1]."""

    shape: tuple[int, ...]

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray: ...


def predict(image: Pixels, forward: Forward, **how) -> np.ndarray:
    """Predict an image of any size and rank that fits in memory.

    Parameters
    ----------
    image, forward, **how
        See `predicted_bands`.

    Returns
    -------
    np.ndarray
        (Y, X, K) or (Z, Y, X, K) float32.

    Raises
    ------
    UserError
        If the tiling, the blend or the padding makes no sense.
    """
    bands = predicted_bands(image, forward, **how)
    top, first = next(bands)
    whole = np.empty((*image.shape[:-1], first.shape[-1]), first.dtype)
    whole[top] = first
    for rows, band in bands:
        whole[rows] = band
    return whole


def predicted_bands(
    image: Pixels,
    forward: Forward,
    *,
    tile: int | tuple[int, ...] = 256,
    overlap: int | tuple[int, ...] = 32,
    blend: str = "hann",
    padding: str = "inside",
    symmetries: str = "none",
    batch_size: int = 8,
    multiple_of: int | tuple[int, ...] = STRIDE,
    done: int = 0,
    answering: Callable[..., Answers] | None = None,
) -> Bands:
    """Predict an image of any size and rank from a row of pixels on, a band of finished rows at a time.

    Batches hold the same tiles and sums are added in the same order wherever it begins, so the bands are the
    very bytes that they would be from the start.

    Parameters
    ----------
    image : np.ndarray or what can be sliced like one
        (Y, X, C) or (Z, Y, X, C) float32, normalised as the model was trained.
    forward : callable
        From a batch (B, *tile, C) float32 to (B, *tile, K); all batches of an image have one shape.
    tile : int or tuple of int
        Size of a tile, for all axes or for each; rounded up to `multiple_of`, no larger than the image needs.
    overlap : int or tuple of int
        Pixels **on each side** of a tile that are context.
    blend : {"crop", "constant", "gaussian", "hann"}
        How tiles share the pixels in which they overlap; see `merge`.
    padding : {"inside", "reflect", "edge", "zero"}
        What the model sees beyond the image; see `kerasseg.inference.padding`.
    symmetries : {"none", "flips", "d4"}
        How many ways of looking at a tile are averaged; see `kerasseg.inference.symmetries`.
    batch_size : int
        The most tiles in a batch.
    multiple_of : int or tuple of int
        What the model wants sizes to be multiples of: its stride.
    done : int
        Rows of the image (planes of a volume) that are finished: 0, or where a band ended.
    answering : callable, optional
        What takes the place of `answers`: `kerasseg.inference.distributed.answers` asks other machines.

    Returns
    -------
    iterator of (slice, np.ndarray)
        Rows, with their (rows, X, K) float32: a view that is valid until the next band is asked for.

    Raises
    ------
    UserError
        If the tiling, the blend or the padding makes no sense.
    """
    tiling = Tiling(image.shape[:-1], tile, overlap, multiple_of, padded=padding != "inside")
    first = tiling.first_row_below(done) * math.prod(tiling.grid[1:])
    how = {"padding": padding, "symmetries": symmetries, "batch_size": batch_size, "first": first}
    answered = (answering or answers)(image, tiling, forward, **how)
    return ((rows, band) for rows, band in bands(tiling, answered, blend) if rows.stop > done)


def answers(
    image: Pixels,
    tiling: Tiling,
    forward: Forward,
    *,
    padding: str,
    batch_size: int,
    symmetries: str = "none",
    first: int = 0,
) -> Answers:
    """Give every tile from number `first` on with what the model says of it, in the tiling's order.

    The next tiles are read while the model is at work.
    """
    ask = asking(forward, symmetries)
    for tiles, batch in ahead(batches(image, tiling, padding, batch_size, first)):
        yield from zip(tiles, ask(batch), strict=False)  # a last batch holds more than its tiles


def asking(forward: Forward, symmetries: str) -> Forward:
    """Ask for every view of a tile, and for none of an empty tile that was asked for before."""
    return empty_once(averaged(forward, symmetries))


def batches(
    image: Pixels, tiling: Tiling, padding: str, batch_size: int, first: int = 0
) -> Iterator[tuple[list[Tile], np.ndarray]]:
    """Cut tiles into batches of one shape, from the one that holds tile number `first` on.

    A few arrays are filled in turn; what is over in the last batch keeps old tiles.
    """
    shape = (per_batch(tiling, batch_size), *tiling.tile_shape, image.shape[-1])
    in_turn = itertools.cycle([np.zeros(shape, np.float32) for _ in range(DEPTH + 2)])
    for tiles in groups(tiling, batch_size, first):
        yield tiles, filled(next(in_turn), image, tiles, padding)


def groups(tiling: Tiling, batch_size: int, first: int = 0) -> Iterator[list[Tile]]:
    """Yield the tiles of each batch, from the one that holds tile number `first` on."""
    count = per_batch(tiling, batch_size)
    remaining = itertools.islice(tiling, first // count * count, None)
    while tiles := list(itertools.islice(remaining, count)):
        yield tiles


def per_batch(tiling: Tiling, batch_size: int) -> int:
    """Give the tiles of a batch: as even as they can be, so that few slots of the last one go to waste."""
    return math.ceil(len(tiling) / math.ceil(len(tiling) / batch_size))


def filled(batch: np.ndarray, image: Pixels, tiles: list[Tile], padding: str) -> np.ndarray:
    """Cut tiles out of an image into a batch that may be longer."""
    for tile, place in zip(tiles, batch, strict=False):
        place[...] = cut(image, tile.source, padding)
    return batch
