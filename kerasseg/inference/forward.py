"""What answers for a batch of tiles: a model on all that computes here, and what can be laid around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.inference.compiling import Forward, compiled

if TYPE_CHECKING:
    import keras

MOST_REMEMBERED = 16


def forward(model: keras.Model) -> Forward:
    """Compile a Keras model into a function from arrays to arrays, for batches of every shape that it takes.

    `model.predict` builds a dataset and callbacks on every call, which costs as much as the network itself on
    one image. Where there are several GPUs, each answers for a part of the batch. It is computed in the
    precision of the model's layers. The weights are those of now: see `folding`.
    """
    import tensorflow as tf

    from kerasseg.inference.folding import folded
    from kerasseg.inference.replicas import replicated

    model, gpus = folded(model), [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    answer = replicated(model, gpus) if len(gpus) > 1 else compiled(model)
    return _halving(answer, tf.errors.ResourceExhaustedError)


def empty_once(forward: Forward) -> Forward:
    """Make a function that is asked about empty tiles, those of one value, no more than once.

    Slides are empty for the most part, and equal tiles have equal answers.
    """
    known: dict[bytes, np.ndarray] = {}

    def answer(batch: np.ndarray) -> np.ndarray:
        values = [_value(tile) for tile in batch]
        if all(value in known for value in values):
            return np.stack([known[value] for value in values])
        answers = np.asarray(forward(batch))
        for value, one in zip(values, answers, strict=True):
            if value is not None and len(known) < MOST_REMEMBERED:
                known.setdefault(value, one.copy())
        return answers

    return answer


def _value(tile: np.ndarray) -> bytes | None:
    """Give the value (C,) that all pixels of a tile have; None where they differ."""
    first = tile[(0,) * (tile.ndim - 1)]
    return first.tobytes() if (tile == first).all() else None


def _halving(forward: Forward, exhausted: type[Exception]) -> Forward:
    """Answer for half a batch at a time from then on where memory does not hold a whole one."""
    most = None

    def answer(batch: np.ndarray) -> np.ndarray:
        nonlocal most
        size = min(most or len(batch), len(batch))
        try:
            parts = [forward(batch[at : at + size]) for at in range(0, len(batch), size)]
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        except exhausted as error:
            if size == 1:
                shape = " x ".join(map(str, batch.shape[1:]))
                raise UserError(
                    f"memory does not hold the answer to one tile of {shape}: set a smaller predict.tile"
                ) from error
            most = -(-size // 2)
            say(f"memory does not hold {size} tiles at once: {most} from now on", style="yellow")
        return answer(batch)

    return answer
