"""From an image of any size to probabilities: cut into tiles, answer in batches, merge.

probabilities = predict(image, forward(model), tile=256, overlap=32)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.prediction.merge import bands
from kerasseg.prediction.tiling import Tile, Tiling

if TYPE_CHECKING:
    import keras

STRIDE = 32  # of the deepest encoders: sizes that are multiples of it suit every model

Forward = Callable[[np.ndarray], np.ndarray]


def predict(
    image: np.ndarray,
    forward: Forward,
    *,
    tile: int | tuple[int, ...] = 256,
    overlap: int | tuple[int, ...] = 32,
    blend: str = "hann",
    batch_size: int = 8,
    multiple_of: int | tuple[int, ...] = STRIDE,
) -> np.ndarray:
    """Predict an image of any size and rank.

    Parameters
    ----------
    image : np.ndarray
        (Y, X, C) or (Z, Y, X, C) float32, normalised as the model was trained.
    forward : callable
        From a batch (B, *tile, C) float32 to (B, *tile, K); all batches of an image have one shape.
    tile : int or tuple of int
        Size of a tile, for all axes or for each; rounded up to `multiple_of`, no larger than the image needs.
    overlap : int or tuple of int
        Pixels **on each side** of a tile that are context.
    blend : {"crop", "constant", "gaussian", "hann"}
        How tiles share the pixels in which they overlap; see `merge`.
    batch_size : int
        The most tiles in a batch.
    multiple_of : int or tuple of int
        What the model wants sizes to be multiples of: its stride.

    Returns
    -------
    np.ndarray
        (Y, X, K) or (Z, Y, X, K) float32.

    Raises
    ------
    UserError
        If the tiling or the blend makes no sense.
    """
    tiling = Tiling(image.shape[:-1], tile, overlap, multiple_of)
    return collect(tiling, bands(tiling, answers(image, tiling, forward, batch_size), blend))


def answers(
    image: np.ndarray, tiling: Tiling, forward: Forward, batch_size: int
) -> Iterator[tuple[Tile, np.ndarray]]:
    """Give every tile of an image with what the model says of it, in the tiling's order."""
    for tiles, batch in batches(image, tiling, batch_size):
        yield from zip(
            tiles, np.asarray(forward(batch)), strict=False
        )  # a last batch holds more than its tiles


def batches(image: np.ndarray, tiling: Tiling, batch_size: int) -> Iterator[tuple[list[Tile], np.ndarray]]:
    """Cut tiles into batches of one shape; the same array is filled again and again.

    Batches are as even as they can be, so that few slots of the last one go to waste; those keep old tiles.
    """
    per_batch = math.ceil(len(tiling) / math.ceil(len(tiling) / batch_size))
    batch = np.zeros((per_batch, *tiling.tile_shape, image.shape[-1]), np.float32)
    remaining = iter(tiling)
    while tiles := list(itertools.islice(remaining, per_batch)):
        for tile, place in zip(tiles, batch, strict=False):
            place[...] = cut(image, tile.source)
        yield tiles, batch


def cut(image: np.ndarray, source: tuple[slice, ...]) -> np.ndarray:
    """Cut a region out of an image; what lies beyond its end is the image reflected there.

    Parameters
    ----------
    image : np.ndarray
        (Y, X, C) or (Z, Y, X, C).
    source : tuple of slice
        One slice an axis, channels left out.

    Returns
    -------
    np.ndarray
        A view where the region lies inside, otherwise a copy.
    """
    if all(part.stop <= length for part, length in zip(source, image.shape, strict=False)):
        return image[source]
    indices = (reflected(part, length) for part, length in zip(source, image.shape, strict=False))
    return image[np.ix_(*indices)]


def reflected(part: slice, length: int) -> np.ndarray:
    """Index pixels as though the image were mirrored at its last pixel again and again: 0 1 2 1 0 1 ..."""
    period = max(2 * (length - 1), 1)
    places = np.arange(part.start, part.stop) % period
    return np.minimum(places, period - places) if length > 1 else np.zeros_like(places)


def collect(tiling: Tiling, bands: Iterator[tuple[slice, np.ndarray]]) -> np.ndarray:
    """Put bands of rows together to the whole: (Y, X, K)."""
    top, first = next(bands)
    whole = np.empty((*tiling.shape, first.shape[-1]), first.dtype)
    whole[top] = first
    for rows, band in bands:
        whole[rows] = band
    return whole


def forward(model: keras.Model) -> Forward:
    """Compile a Keras model into a function from arrays to arrays, for batches of every shape that it takes.

    One graph is traced for all shapes; `model.predict` builds a dataset and callbacks on every call, which
    costs as much as the network itself on one image. The weights are those of now: see `folding`.
    """
    import tensorflow as tf

    from kerasseg.prediction.folding import folded

    model, signature = folded(model), tf.TensorSpec(model.input_shape, tf.float32)
    graph = tf.function(lambda batch: model(batch, training=False), input_signature=[signature])
    return lambda batch: graph(batch).numpy()
