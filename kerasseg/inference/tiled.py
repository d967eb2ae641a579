"""Predict an image of any size: cut tiles out of it, answer them in batches, blend the answers.

probabilities = predict(image, Backend(network), settings, stride)

An image is whatever gives pixels when it is sliced: an array, or a file that is read by region. What comes
out of `predicted_bands` are bands of finished rows, so that neither the image nor the answer need be in
memory; and it can begin at any row that an earlier band ended with.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np

from kerasseg.images.padding import cut
from kerasseg.inference.blending import Answers, Bands, bands
from kerasseg.inference.forward import Forward, empty_once
from kerasseg.inference.tiling import Tile, Tiling
from kerasseg.inference.tta import averaged
from kerasseg.spec import TilingSettings

DEPTH = 2  # batches that are cut while the network is at work

Item = TypeVar("Item")


class Pixels(Protocol):
    """What can be sliced like an array of shape (Y, X, C) or (Z, Y, X, C), float32 in [0, 1]."""

    shape: tuple[int, ...]

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray: ...


class Answering(Protocol):
    """What answers for the tiles of an image: `kerasseg.inference.backends.Backend`, or a cluster."""

    def answers(self, image: Pixels, tiling: Tiling, settings: TilingSettings, first: int = 0) -> Answers:
        """Give every tile from number `first` on with its probabilities, in the tiling's order."""


def predict(
    image: Pixels, backend: Answering, settings: TilingSettings, stride: int | Sequence[int]
) -> np.ndarray:
    """Predict an image of any size and rank that fits in memory.

    Parameters
    ----------
    image, backend, settings, stride
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
    return gathered(predicted_bands(image, backend, settings, stride), image.shape[:-1])


def gathered(bands: Bands, size: Sequence[int]) -> np.ndarray:
    """Put the bands of an image of a size together: (*size, K)."""
    rows, first = next(bands)
    whole = np.empty((*size, first.shape[-1]), first.dtype)
    whole[rows] = first
    for rows, band in bands:
        whole[rows] = band
    return whole


def predicted_bands(
    image: Pixels,
    backend: Answering,
    settings: TilingSettings,
    stride: int | Sequence[int],
    *,
    first_row: int = 0,
) -> Bands:
    """Predict an image of any size and rank from a row of pixels on, a band of finished rows at a time.

    Batches hold the same tiles and sums are added in the same order wherever it begins, so the bands are the
    very bytes that they would be from the start.

    Parameters
    ----------
    image : np.ndarray or what can be sliced like one
        (Y, X, C) or (Z, Y, X, C) float32, normalised as the model was trained.
    backend : Answering
    settings : TilingSettings
        With the overlap in pixels.
    stride : int or sequence of int
        What the sides of a tile are multiples of, for all axes or for each.
    first_row : int
        Row of the image (plane of a volume) to begin with: 0, or where a band ended.

    Returns
    -------
    iterator of (slice, np.ndarray)
        Rows, with their (rows, X, K) float32: a view that is valid until the next band is asked for.

    Raises
    ------
    UserError
        If the tiling, the blend or the padding makes no sense.
    """
    tiling = tiling_of(image, settings, stride)
    first = tiling.first_row_below(first_row) * math.prod(tiling.grid[1:])
    answers = backend.answers(image, tiling, settings, first)
    return ((rows, band) for rows, band in bands(tiling, answers, settings.blend) if rows.stop > first_row)


def tiling_of(image: Pixels, settings: TilingSettings, stride: int | Sequence[int]) -> Tiling:
    """Lay tiles over an image; parameters are those of `predicted_bands`."""
    padded = settings.padding != "inside"
    return Tiling(image.shape[:-1], settings.tile, settings.overlap, stride, padded=padded)


def answers(
    image: Pixels, tiling: Tiling, forward: Forward, settings: TilingSettings, first: int = 0
) -> Answers:
    """Give every tile from number `first` on with what a network in this process says of it."""
    answer = asking(forward, settings.tta)
    for tiles, batch in batches(image, tiling, settings, first):
        yield from zip(tiles, answer(batch), strict=False)  # a last batch holds more than its tiles


def asking(forward: Forward, tta: str) -> Forward:
    """Ask for every view of a tile, and for none of an empty tile that was asked for before."""
    return empty_once(averaged(forward, tta))


def batches(
    image: Pixels, tiling: Tiling, settings: TilingSettings, first: int = 0
) -> Iterator[tuple[list[Tile], np.ndarray]]:
    """Cut tiles into batches of one shape, from the one that holds tile number `first` on.

    What must be read is read while the network is at work; an array is cut sooner than it is handed from one
    thread, and its processor's cache, to another. A batch is valid until the next is asked for; what is over
    in the last one keeps old tiles.
    """
    shape = (per_batch(tiling, settings.batch_size), *tiling.tile_shape, image.shape[-1])
    in_memory = isinstance(image, np.ndarray)
    in_turn = itertools.cycle([np.zeros(shape, np.float32) for _ in range(1 if in_memory else DEPTH + 2)])
    cuts = (
        (tiles, filled(next(in_turn), image, tiles, settings.padding))
        for tiles in groups(tiling, settings.batch_size, first)
    )
    return cuts if in_memory else ahead(cuts)


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


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items that a thread of their own fetches, up to `DEPTH` of them before they are wanted.

    What is handed out is not touched before `DEPTH` more were asked for; what `items` raises is raised here.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(DEPTH))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, items, end))
            yield item
