"""Write a trained model as a SavedModel that answers for images as they are stored, in `<name>/<version>/`.

Beside what TensorFlow Serving loads, a version holds the requests that it warms up with, and a card,
`README.md`, that says what the model is and how to ask it. What it answers: see `signatures`.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseg import locks
from kerasseg.errors import UserError, unknown
from kerasseg.images.normalisation import Minmax
from kerasseg.images.preprocessing import normalise
from kerasseg.inference.backends import Backend
from kerasseg.segmenter import Segmenter
from kerasseg.serving import card, warmup
from kerasseg.serving.signatures import IMAGES, Served
from kerasseg.spec import ACTIVATIONS, ModelSpec, TilingSettings

CHECKED_SIZES = {2: (61, 75), 3: (13, 29, 21)}  # no multiple of anything
LARGEST_CHECKED = {2: 512, 3: 48}  # pixels a side
WHOLE = 1 << 30  # a tile that no image exceeds
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True)
class Export:
    """What was written: where, and how far its probabilities are at most from the Keras model's."""

    path: Path
    largest_difference: float


def export(
    model: keras.Model,
    folder: Path,
    spec: ModelSpec,
    *,
    name: str,
    facts: Mapping[str, Any],
    image: np.ndarray | None = None,
) -> Export:
    """Write a SavedModel, load it again and compare it with the model it came from.

    Parameters
    ----------
    model : keras.Model
        From (B, Y, X, C) or (B, Z, Y, X, C) float32 in [0, 1], sizes multiples of the stride, to (B, ..., K).
    folder : Path
        ``<name>``, where the model's versions are: this one becomes the number after the highest, complete
        or not at all.
    spec : ModelSpec
        What the model takes and gives.
    name : str
        Under which the model will be served.
    facts : mapping
        How the model came about, for its card: see `kerasseg.serving.card.render`.
    image : numpy.ndarray, (Y, X, C) or (Z, Y, X, C), optional
        As stored: what both are compared on; noise where there is none.

    Returns
    -------
    Export

    Raises
    ------
    UserError
        If a name is unknown, the model does not fit its specification, or the folder cannot be written.
    """
    _check(model, spec)
    if Path(folder).name.isdigit():
        raise UserError(f"{folder}: versions are numbered by themselves; give their folder, {folder.parent}")
    with _partial(Path(folder)) as partial:
        served = Served(model, spec)
        tf.saved_model.save(served, str(partial), signatures=served.signatures())
        warmup.write(partial, name, spec)
        difference = largest_difference(partial, model, spec, image)
        text = card.render(name, spec, {**facts, "largest_difference": difference})
        (partial / card.NAME).write_text(text, encoding="utf-8")
        return Export(_numbered(partial, Path(folder)), difference)


def _check(model: keras.Model, spec: ModelSpec) -> None:
    if spec.beside:
        raise UserError("this model is a stage of a cascade and sees what others find; export the cascade's folder")
    if spec.activation not in ACTIVATIONS:
        raise UserError(unknown("activation", spec.activation, ACTIVATIONS))
    if spec.activation == "softmax" and spec.multilabel:
        raise UserError(
            "softmax shares a pixel out among classes; where several may meet in one pixel, use sigmoid"
        )
    if spec.resize and spec.rank != len(spec.resize):
        raise UserError(f"data.resize {spec.resize} is for images; leave it out for volumes")
    given, wanted = (model.input_shape, model.output_shape), (spec.channels, spec.outputs)
    if [(len(shape) - 2, shape[-1]) for shape in given] != [(spec.rank, channels) for channels in wanted]:
        raise UserError(
            f"the model turns {given[0]} into {given[1]}; {spec.channels} channels, {spec.activation} over "
            f"{len(spec.classes)} classes and a stride of {spec.stride} need {spec.rank} axes in space, "
            f"{spec.channels} channels and {spec.outputs} probabilities"
        )


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder to fill, which vanishes unless it was given its number."""
    partial = folder / ".unfinished"
    with locks.held(folder / ".lock", folder):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            yield partial
        except (OSError, tf.errors.ResourceExhaustedError, tf.errors.PermissionDeniedError) as error:
            raise UserError(f"{folder}: the model cannot be written there ({error})") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _numbered(partial: Path, folder: Path) -> Path:
    """Rename a version to the next number; where another export took it meanwhile, to the one after."""
    while True:
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        try:
            return partial.rename(folder / str(max(numbers, default=0) + 1))
        except OSError as error:
            if error.errno not in TAKEN:
                raise


def largest_difference(
    version: Path, model: keras.Model, spec: ModelSpec, image: np.ndarray | None = None
) -> float:
    """Compare a SavedModel with local prediction, on an image in each type.

    Parameters
    ----------
    version : Path
        The SavedModel.
    model : keras.Model
        The one that it came from, called as Keras does.
    spec : ModelSpec
    image : numpy.ndarray, (Y, X, C) or (Z, Y, X, C), optional
        As stored; its middle, where the model looks at any size. Noise where there is none.

    Returns
    -------
    float
        The largest difference of two probabilities.
    """
    served = tf.saved_model.load(str(version)).signatures
    whole = TilingSettings(WHOLE, 0, blend="crop", padding="inside", tta="none", batch_size=1)
    network = Backend(lambda batch: keras.ops.convert_to_numpy(model(batch, training=False)))
    local = Segmenter(replace(spec, tiling=whole), network)
    intensities = _intensities(image, spec)
    differences = []
    for name, dtype in IMAGES.items():
        typed = intensities if dtype.is_floating else (intensities * dtype.max).astype(dtype.as_numpy_dtype)
        answer = served[name](image=tf.constant(typed[None]))["probabilities"][0]
        differences.append(np.abs(answer - local.predict(typed, name)).max())
    return float(max(differences))


def _intensities(image: np.ndarray | None, spec: ModelSpec) -> np.ndarray:
    """Bring the middle of an image, or noise, into [0, 1] as float32."""
    if image is None:
        size = (*CHECKED_SIZES[spec.rank], spec.channels)
        return np.random.default_rng(0).random(size, dtype=np.float32)
    if spec.resize is None:
        cuts = [max(0, (length - LARGEST_CHECKED[spec.rank]) // 2) for length in image.shape[:-1]]
        image = image[tuple(slice(cut, length - cut) for cut, length in zip(cuts, image.shape, strict=False))]
    if image.dtype.kind == "f":
        return normalise(image, Minmax())
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
