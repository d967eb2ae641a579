"""Write a trained model as a SavedModel that answers for images as they are stored.

A TensorFlow signature takes one type, so there is one for each: `serving_default` takes uint8, `uint16` and
`float32` what they are called. Each takes `image`, (B, Y, X, C) or grey (B, Y, X) of any size, channels in
the order in which the file has them, and gives `probabilities` (B, Y, X, K) float32 and `mask` (B, Y, X)
uint8 at the image's own size.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasseg.errors import UserError, unknown
from kerasseg.images.normalise import NORMALISATIONS
from kerasseg.postprocess import ACTIVATIONS
from kerasseg.prediction.forward import forward
from kerasseg.prediction.predict import STRIDE
from kerasseg.prediction.predictor import Predictor
from kerasseg.serving import graph

SIGNATURES = {"serving_default": tf.uint8, "uint16": tf.uint16, "float32": tf.float32}
CHECKED_SIZE = (61, 75)  # no multiple of anything
WHOLE = 1 << 30  # a tile that no image exceeds


@dataclass(frozen=True)
class Export:
    """What was written: where, and how far its probabilities are at most from the Keras model's."""

    path: Path
    largest_difference: float


def export(
    model: keras.Model,
    directory: Path,
    *,
    channels: int,
    normalise: str,
    resize: tuple[int, int] | None,
    classes: list[str],
    activation: str,
    threshold: float,
) -> Export:
    """Write a SavedModel, load it again and compare it with the model it came from.

    Parameters
    ----------
    model : keras.Model
        From (B, Y, X, C) float32 in [0, 1], sizes multiples of 32, to (B, Y, X, K).
    directory : Path
        The folder to appear, complete or not at all; its last part is the version for TensorFlow Serving.
    channels : int
        Channels that the model takes.
    normalise : {"dtype", "minmax", "percentile"}
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the model looks at an image; None is the image's own.
    classes : list of str
        Names of the foreground classes.
    activation : {"sigmoid", "softmax"}
        Of the model's head.
    threshold : float
        From which probability on a pixel belongs to a class.

    Returns
    -------
    Export

    Raises
    ------
    UserError
        If a name is unknown, the model does not fit channels and classes, the folder exists or cannot be
        written.
    """
    _check(model, channels, normalise, classes, activation)
    answer = _answer(model, channels, normalise, resize, activation, threshold)
    local = Predictor(forward(model), channels, normalise, resize, tile=WHOLE, overlap=0, blend="crop")
    with _appearing(Path(directory)) as partial:
        _write(model, answer, partial)
        difference = largest_difference(partial, local)
    return Export(Path(directory), difference)


def _check(model: keras.Model, channels: int, normalise: str, classes: list[str], activation: str) -> None:
    if normalise not in NORMALISATIONS:
        raise UserError(unknown("normalisation", normalise, NORMALISATIONS))
    if activation not in ACTIVATIONS:
        raise UserError(unknown("activation", activation, ACTIVATIONS))
    expected = (channels, len(classes) + (activation == "softmax"))
    given = (model.input_shape[-1], model.output_shape[-1])
    if given != expected:
        raise UserError(
            f"the model turns {given[0]} channels into {given[1]} probabilities; {channels} channels and "
            f"{activation} over {len(classes)} classes need {expected[0]} and {expected[1]}"
        )


def _answer(
    model: keras.Model,
    channels: int,
    normalise: str,
    resize: tuple[int, int] | None,
    activation: str,
    threshold: float,
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Make the function that a signature is traced from, for images of any type."""

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.cast(graph.as_batch(image), tf.float32)
        pixels = graph.with_channels(pixels, channels, image.dtype.is_integer)
        stored = tf.shape(pixels)[1:3]
        seen = _as_seen(pixels, normalise, resize, image.dtype)
        padded = model(graph.pad(seen, STRIDE), training=False)
        height, width = tf.unstack(tf.shape(seen)[1:3])
        probabilities = tf.cast(padded[:, :height, :width], tf.float32)
        if resize is not None:
            probabilities = graph.resize(probabilities, stored)
        return {"probabilities": probabilities, "mask": graph.mask(probabilities, threshold, activation)}

    return answer


def _as_seen(pixels: tf.Tensor, normalise: str, resize: tuple[int, int] | None, dtype: tf.DType) -> tf.Tensor:
    """Normalise and resize in the order of `kerasseg.images.prepare.prepare`."""
    if resize is None:
        return graph.normalise(pixels, normalise, dtype)
    if (
        dtype == tf.uint8 and normalise == "dtype"
    ):  # prepared images are kept as uint8: resized, rounded, divided
        return graph.normalise(tf.round(graph.resize(pixels, resize)), normalise, dtype)
    return graph.resize(graph.normalise(pixels, normalise, dtype), resize)


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """Yield a folder to fill; it takes its name when all went well, and vanishes otherwise."""
    if directory.exists():
        raise UserError(f"{directory}: it exists; give a new folder, such as the next version number")
    partial = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.rename(directory)
    except (OSError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(f"{directory}: it cannot be written ({error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(model: keras.Model, answer: Callable, directory: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, dtype in SIGNATURES.items():
        # Of unknown rank: grey images may leave out their axis of channels.
        archive.add_endpoint(name, answer, input_signature=[tf.TensorSpec(None, dtype, name="image")])
    archive.write_out(str(directory), verbose=False)


def largest_difference(directory: Path, local: Predictor) -> float:
    """Compare a SavedModel with local prediction, on noise of each type at an odd size.

    Parameters
    ----------
    directory : Path
        The SavedModel.
    local : Predictor
        Prediction of whole images by the Keras model.

    Returns
    -------
    float
        The largest difference of two probabilities.
    """
    served = tf.saved_model.load(str(directory)).signatures
    # OpenCV enlarges in whole numbers, which rounds noise otherwise; images shrink alike.
    size = CHECKED_SIZE if local.resize is None else tuple(2 * length + 1 for length in local.resize)
    noise = np.random.default_rng(0).random((*size, local.channels), dtype=np.float32)
    differences = []
    for name, dtype in SIGNATURES.items():
        image = noise if dtype.is_floating else (noise * dtype.max).astype(dtype.as_numpy_dtype)
        answer = served[name](image=tf.constant(image[None]))["probabilities"][0]
        differences.append(np.abs(answer - local(image, name)).max())
    return float(max(differences))
