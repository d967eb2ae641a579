"""Write a trained model as a SavedModel that answers for images as they are stored, in `<name>/<version>/`.

Beside what TensorFlow Serving loads, a version holds the requests that it warms up with, and a card,
`README.md`, that says what the model is and how to ask it. What it answers: see `signatures`.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseg import locks
from kerasseg.cascade import Cascade
from kerasseg.errors import UserError, unknown
from kerasseg.images.normalisation import Minmax
from kerasseg.images.preprocessing import normalise
from kerasseg.inference.backends import Backend
from kerasseg.segmenter import Segmenter
from kerasseg.serving import card, warmup
from kerasseg.serving.signatures import Served, ServedCascade, image_types
from kerasseg.spec import ACTIVATIONS, MergedSpec, ModelSpec, TilingSettings

CHECKED_SIZES = {2: (61, 75), 3: (13, 29, 21)}  # no multiple of anything
LARGEST_CHECKED = {2: 512, 3: 48}  # pixels a side
WHOLE = 1 << 30  # a tile that no image exceeds
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True)
class Export:
    """What was written: where, and how far it is from what it was made of.

    Attributes
    ----------
    path : Path
    largest_difference : float
        Of two probabilities; of a cascade, the share of pixels whose class or stage differs.
    """

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

    def card_of(difference: float) -> str:
        return card.render(name, spec, {**facts, "largest_difference": difference})

    compare = partial(largest_difference, model=model, spec=spec, image=image)
    return _write(Served(model, spec), Path(folder), name, spec, compare, card_of)


def export_cascade(
    models: Mapping[str, keras.Model],
    folder: Path,
    cascade: Cascade,
    *,
    name: str,
    facts: Mapping[str, Any],
    image: np.ndarray | None = None,
) -> Export:
    """Write a cascade as one SavedModel, load it again and compare it with the cascade.

    Parameters
    ----------
    models : mapping of str to keras.Model
        That of each stage.
    folder, name, image
        See `export`.
    cascade : Cascade
    facts : mapping
        See `kerasseg.serving.card.render_cascade`.

    Returns
    -------
    Export

    Raises
    ------
    UserError
        If the folder cannot be written.
    """

    def card_of(difference: float) -> str:
        return card.render_cascade(name, cascade, {**facts, "largest_difference": difference})

    compare = partial(differing_share, models=models, cascade=cascade, image=image)
    return _write(ServedCascade(models, cascade), Path(folder), name, cascade.spec, compare, card_of)


def _write(
    served: Served | ServedCascade,
    folder: Path,
    name: str,
    spec: ModelSpec | MergedSpec,
    compare: Callable[[Path], float],
    card_of: Callable[[float], str],
) -> Export:
    """Write the next version of a model, which appears when it is complete and was compared."""
    if folder.name.isdigit():
        raise UserError(f"{folder}: versions are numbered by themselves; give their folder, {folder.parent}")
    with _partial(folder) as version:
        tf.saved_model.save(served, str(version), signatures=served.signatures())
        warmup.write(version, name, spec)
        difference = compare(version)
        (version / card.NAME).write_text(card_of(difference), encoding="utf-8")
        return Export(_numbered(version, folder), difference)


def _check(model: keras.Model, spec: ModelSpec) -> None:
    if spec.beside:
        raise UserError("this stage of a cascade sees what others find; export the cascade's folder")
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
    local = _whole(spec, model)
    return _compared(
        version,
        spec,
        _intensities(image, spec.rank, spec.channels, resized=spec.resize is not None),
        lambda typed, answer: np.abs(answer["probabilities"][0] - local.predict(typed, "the image")).max(),
    )


def differing_share(
    version: Path, models: Mapping[str, keras.Model], cascade: Cascade, image: np.ndarray | None = None
) -> float:
    """Compare a cascade's SavedModel with the cascade, each stage at whole images, on an image in each type.

    Parameters
    ----------
    version, image
        See `largest_difference`.
    models : mapping of str to keras.Model
        Those that it came from.
    cascade : Cascade

    Returns
    -------
    float
        The largest share of pixels that are of another class, or come from another stage.
    """
    stages = {
        name: replace(stage, segmenter=_whole(stage.segmenter.spec, models[name]))
        for name, stage in cascade.stages.items()
    }
    local = replace(cascade, stages=stages)
    resized = any(stage.segmenter.spec.resize for stage in stages.values())

    def share(typed: np.ndarray, answer: Mapping[str, tf.Tensor]) -> float:
        entries = local.entries(typed)
        differ = answer["mask"][0].numpy() != local.spec.decide(entries)
        return (differ | (answer["stages"][0].numpy() != local.spec.stages(entries))).mean()

    intensities = _intensities(image, cascade.spec.rank, channels=1, resized=resized)
    return _compared(version, cascade.spec, intensities, share)


def _whole(spec: ModelSpec, model: keras.Model) -> Segmenter:
    """Look at whole images, and call the model as Keras does."""
    whole = TilingSettings(WHOLE, 0, blend="crop", padding="inside", tta="none", batch_size=1)
    network = Backend(lambda batch: keras.ops.convert_to_numpy(model(batch, training=False)))
    return Segmenter(replace(spec, tiling=whole), network)


def _compared(
    version: Path,
    spec: ModelSpec | MergedSpec,
    intensities: np.ndarray,
    difference: Callable[[np.ndarray, Mapping[str, tf.Tensor]], float],
) -> float:
    """Ask a SavedModel for an image in each type, and give the largest difference from what is expected."""
    served = tf.saved_model.load(str(version)).signatures
    differences = []
    for name, dtype in image_types(spec).items():
        typed = intensities if dtype.is_floating else (intensities * dtype.max).astype(dtype.as_numpy_dtype)
        differences.append(difference(typed, served[name](image=tf.constant(typed[None]))))
    return float(max(differences))


def _intensities(image: np.ndarray | None, rank: int, channels: int, *, resized: bool) -> np.ndarray:
    """Bring the middle of an image, all of it where it is resized, or noise, into [0, 1] as float32."""
    if image is None:
        return np.random.default_rng(0).random((*CHECKED_SIZES[rank], channels), dtype=np.float32)
    if not resized:
        cuts = [max(0, (length - LARGEST_CHECKED[rank]) // 2) for length in image.shape[:-1]]
        image = image[tuple(slice(cut, length - cut) for cut, length in zip(cuts, image.shape, strict=False))]
    if image.dtype.kind == "f":
        return normalise(image, Minmax())
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
