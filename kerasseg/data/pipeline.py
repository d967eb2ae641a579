"""Batches to TensorFlow, made ahead of the step that eats them: the only file of its room that imports it."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import tensorflow as tf

from kerasseg.data.batches import TrainingBatches, UnpairedBatches, ValidationBatches

AHEAD = 4  # batches made before they are asked for
QUIET = 0.05  # seconds without a call, after which TensorFlow has stopped asking
PATIENCE = 30.0  # seconds that a batch may take, when it is waited for at the end


class Feed:
    """A stream as a dataset, for as long as it is open.

    TensorFlow asks for batches on threads of its own, and takes its iterators down while it holds Python's
    lock. A batch that is being made just then waits for the lock, and the lock for the batch: the process
    hangs. So a feed is closed, which waits until nothing is asked any more, before an iterator goes: leave
    its ``with`` block, or call `close`, while the dataset's iterators are still there.

    A mistake that is met while a batch is made does not go through TensorFlow, which would bury it under a
    hundred lines; it is kept in `mistake`, and the batch is zeros.

    Parameters
    ----------
    stream : TrainingBatches, UnpairedBatches or ValidationBatches
        Any order of threads makes the same batches, as each depends on its number alone.

    Attributes
    ----------
    mistake : Exception or None
        What was raised first.
    """

    def __init__(self, stream: TrainingBatches | UnpairedBatches | ValidationBatches) -> None:
        self.stream = stream
        self.mistake: Exception | None = None
        self._changed = threading.Condition()
        self._open, self._busy, self._asked = True, 0, 0.0

    def dataset(self, *, start: int = 0, stop: int | None = None, step: int = 1) -> tf.data.Dataset:
        """Turn the stream into a dataset.

        Parameters
        ----------
        start : int, default 0
            The first batch.
        stop : int, optional
            The batch to stop before; by default `ValidationBatches` stop at their end, and others never.
        step : int, default 1
            From one batch to the next.

        Returns
        -------
        tf.data.Dataset
            Of images ``(B, Y, X, C)`` float32 and targets ``(B, Y, X, K)`` uint8, of volumes with Z before Y,
            in order. B is None where the last batch may be smaller, C where images' own channels are taken.
        """
        endless = len(self.stream) if isinstance(self.stream, ValidationBatches) else tf.int64.max
        numbers = tf.data.Dataset.range(start, endless if stop is None else stop, step)
        batches = numbers.map(self._make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(AHEAD)

    def close(self) -> None:
        """Make no more batches, and wait until none is asked for."""
        with self._changed:
            self._open = False
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if not self._busy and time.monotonic() - self._asked > QUIET:
                    return
                self._changed.wait(QUIET)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Call `_batch` from a graph, which must be told the shapes."""
        stream = self.stream
        size = None if isinstance(stream, ValidationBatches) else stream.batch_size
        images, targets = tf.numpy_function(self._batch, [index], (tf.float32, tf.uint8), stateful=False)
        images.set_shape((size, *stream.shape, stream.channels))
        targets.set_shape((size, *stream.shape, stream.outputs))
        return images, targets

    def _batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        with self._changed:
            self._busy += 1
            self._asked = time.monotonic()
        try:
            if self._open:
                return self.stream.batch(index)
        except Exception as error:
            self.mistake = self.mistake or error
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()
        return self._zeros()

    def _zeros(self) -> tuple[np.ndarray, np.ndarray]:
        stream: Any = self.stream
        channels = stream.channels or 1
        shape = (stream.batch_size, *stream.shape)
        return np.zeros((*shape, channels), np.float32), np.zeros((*shape, stream.outputs), np.uint8)
