"""A Keras model as a function from batches to answers, on all that computes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.console import say
from kerasseg.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from tensorflow.types.experimental import PolymorphicFunction

    from kerasseg.spec import ModelSpec

Forward = Callable[[np.ndarray], np.ndarray]
"""From a batch (B, Y, X, C) or (B, Z, Y, X, C) float32 to its (..., K) float32."""

MOST_REMEMBERED = 16
TOLERANCE = 1e-4  # of probabilities: what is below is rounding
STRIDES = ((2, 3, 2), (3, 2, 4))  # sides of the compared batches, in strides; one cannot be mirrored
LOOKED_AT_FIRST = 64  # pixels of a tile that may be empty


def forward(model: keras.Model) -> Forward:
    """Compile a Keras model into a function from arrays to arrays, for batches of every shape that it takes.

    `model.predict` builds a dataset and callbacks on every call, which costs as much as the network itself on
    one image. Where there are several GPUs, each answers for a part of the batch. It is computed in the
    precision of the model's layers. The weights are those of now: see `folding`.
    """
    import tensorflow as tf

    from kerasseg.inference.folding import folded

    model = folded(model)
    gpus = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    answer = replicated(model, gpus) if len(gpus) > 1 else compiled(model)
    return halving(answer, tf.errors.ResourceExhaustedError)


def compiled(model: keras.Model, device: str | None = None) -> Forward:
    """Compile a model as it is, for a device or wherever TensorFlow likes."""
    graph = traced(model, device)
    return lambda batch: graph(batch).numpy()


def traced(model: keras.Model, device: str | None = None) -> PolymorphicFunction:
    """Make the one graph of a model for batches of all shapes."""
    import tensorflow as tf

    def answer(batch: tf.Tensor) -> tf.Tensor:
        with tf.device(device):
            return model(batch, training=False)

    return tf.function(answer, input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])


def replicated(model: keras.Model, devices: Sequence[str]) -> Forward:
    """Compile a model for every device, with weights of its own there.

    Parameters
    ----------
    model : keras.Model
        Functional. Its weights are copied now.
    devices : sequence of str
        Names of logical devices, such as ``"/device:GPU:1"``.

    Returns
    -------
    callable
        From a batch (B, ..., C) float32 to (B, ..., K), in the order of the batch; no device waits for
        another but at the end.
    """
    answers = [compiled(_copied(model, device), device) for device in devices]
    threads = ThreadPoolExecutor(len(devices), thread_name_prefix="device")

    def answer(batch: np.ndarray) -> np.ndarray:
        parts = np.array_split(batch, min(len(devices), len(batch)))
        return np.concatenate(list(threads.map(lambda each, part: each(part), answers, parts)))

    return answer


def _copied(model: keras.Model, device: str) -> keras.Model:
    import keras
    import tensorflow as tf

    with tf.device(device):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    return copy


def halving(forward: Forward, exhausted: type[Exception]) -> Forward:
    """Answer for half a batch at a time from then on where memory does not hold a whole one.

    Parameters
    ----------
    forward : Forward
    exhausted : type of Exception
        What it raises where memory is too small.

    Returns
    -------
    Forward
        Raises `UserError` where not even one tile fits.
    """
    most = None

    def answer(batch: np.ndarray) -> np.ndarray:
        nonlocal most
        size = min(most or len(batch), len(batch))
        try:
            parts = [forward(batch[start : start + size]) for start in range(0, len(batch), size)]
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        except exhausted as error:
            if size == 1:
                shape = " x ".join(map(str, batch.shape[1:]))
                raise UserError(
                    f"memory cannot hold the answer to one tile of {shape}: set a smaller predict.tile"
                ) from error
            most = -(-size // 2)
            say(f"memory cannot hold {size} tiles at once: {most} from now on", style="yellow")
        return answer(batch)

    return answer


def empty_once(forward: Forward) -> Forward:
    """Make a function that is asked about empty tiles, those of one value, no more than once.

    Slides are empty for the most part, and equal tiles have equal answers.
    """
    known: dict[bytes, np.ndarray] = {}

    def answer(batch: np.ndarray) -> np.ndarray:
        values = _only_values(batch)
        if all(value in known for value in values):
            return np.stack([known[value] for value in values])
        answers = np.asarray(forward(batch))
        for value, one in zip(values, answers, strict=True):
            if value is not None and len(known) < MOST_REMEMBERED:
                known.setdefault(value, one.copy())
        return answers

    return answer


def _only_values(batch: np.ndarray) -> list[bytes | None]:
    """Give the value (C,) that all pixels of a tile have, for each tile; None where they differ."""
    tiles = batch.reshape(len(batch), -1, batch.shape[-1])
    alike = (tiles[:, :LOOKED_AT_FIRST] == tiles[:, :1]).all(axis=(1, 2))  # few tiles of an image pass
    return [
        tile[0].tobytes() if maybe and (tile == tile[0]).all() else None
        for maybe, tile in zip(alike, tiles, strict=True)
    ]


def compared(forward: Forward, model: keras.Model, spec: ModelSpec, path: Path) -> float:
    """Compare what was made of a Keras model with it on noise of two sizes: give their largest difference.

    Parameters
    ----------
    forward : Forward
        What was made of it.
    model : keras.Model
    spec : ModelSpec
    path : Path
        Where it is, for the message.

    Returns
    -------
    float
        Of two probabilities.

    Raises
    ------
    UserError
        If it is above `TOLERANCE`.
    """
    rng = np.random.default_rng(0)
    differences = []
    for strides in STRIDES:
        size = (times * side for times, side in zip(strides, spec.stride, strict=False))
        batch = rng.random((2, *size, spec.channels + spec.beside), np.float32)
        expected = np.asarray(model(batch, training=False))
        found = forward(batch)
        differences.append(np.abs(found - expected).max() if found.shape == expected.shape else np.inf)
    difference = float(max(differences))
    if not difference <= TOLERANCE:
        raise UserError(
            f"{path}: what was converted answers otherwise than the Keras model: its probabilities differ by "
            f"{difference:.2g}, and at most {TOLERANCE:g} is rounding. It is not kept; use "
            "another format or engine"
        )
    return difference


def in_float32(model: keras.Model) -> keras.Model:
    """Give a model that computes in float32; a copy, where it was trained in mixed precision."""
    import keras

    if all(layer.compute_dtype in ("float32", None) for layer in model.layers):
        return model

    def as_float32(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=as_float32)
    copy.set_weights(model.get_weights())
    return copy
