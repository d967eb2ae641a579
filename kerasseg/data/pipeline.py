"""Batches to TensorFlow, made ahead of the step that eats them: the only file of its room that imports it."""

from __future__ import annotations

import tensorflow as tf

from kerasseg.data.stream import Fixed, Stream
from kerasseg.data.unpaired import Unpaired

AHEAD = 4  # batches made before they are asked for


def dataset(stream: Stream | Unpaired | Fixed, *, start: int = 0, stop: int | None = None) -> tf.data.Dataset:
    """Turn a stream into a dataset.

    Parameters
    ----------
    stream : Stream, Unpaired or Fixed
        Any order of threads makes the same batches, as each depends on its number alone.
    start : int, default 0
        The first batch.
    stop : int, optional
        The batch to stop before; by default a :class:`Fixed` stops at its end, and the others never.

    Returns
    -------
    tf.data.Dataset
        Of images ``(B, Y, X, C)`` float32 and targets ``(B, Y, X, K)`` uint8, of volumes with Z before Y, in
        order. B is None where the last batch may be smaller, C where the images' own channels are taken.
    """
    endless = len(stream) if isinstance(stream, Fixed) else tf.int64.max
    numbers = tf.data.Dataset.range(start, endless if stop is None else stop)
    batches = numbers.map(_maker(stream), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return batches.prefetch(AHEAD)


def _maker(stream: Stream | Unpaired | Fixed):
    """Wrap ``stream.batch`` for a graph, which must be told the shapes."""
    size = None if isinstance(stream, Fixed) else stream.batch_size

    def make(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(stream.batch, [index], (tf.float32, tf.uint8), stateful=False)
        images.set_shape((size, *stream.shape, stream.channels))
        targets.set_shape((size, *stream.shape, len(stream.ids)))
        return images, targets

    return make
