"""How good a model is on images that it never saw, and what it says of each of them."""

from __future__ import annotations

import math
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from kerasseg.commands import rebuilding
from kerasseg.commands.rebuilding import Scores
from kerasseg.compact.keypoints import Kernel
from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import Notice
from kerasseg.images.files import write
from kerasseg.images.folders import file_name
from kerasseg.images.headers import is_readable_whole
from kerasseg.images.masks import IGNORE, split_classes
from kerasseg.images.preprocessing import resize, resize_mask
from kerasseg.images.writing.outputs import appearing
from kerasseg.inference import mask_files
from kerasseg.metrics import confusion, objects, pixel
from kerasseg.metrics.confusion import Confusion
from kerasseg.metrics.objects import Labelled, Objects
from kerasseg.metrics.pixel import Counts
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.numbering import object_classes
from kerasseg.postprocess.pairs import Pairing, write_csv
from kerasseg.postprocess.table import Tables, images_table
from kerasseg.report import pictures
from kerasseg.report.page import ranks
from kerasseg.runs.rundirectory import OBJECTS, PREDICTIONS
from kerasseg.segmenter import Segmenter
from kerasseg.spec import ModelSpec

THRESHOLDS = np.linspace(0.02, 0.98, 49).round(2)


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model.

    Attributes
    ----------
    threshold : float
        From which probability on a pixel belongs to a class.
    size : str
        At which size ``test`` was scored: that of the recipe's ``resize``, or the images' own.
    test : dict
        ``classes``: see `kerasseg.metrics.pixel.scores`; ``images``: the scores of each. Where classes
        exclude each other ``averages``: see `kerasseg.metrics.confusion.averages`; ``confusion``: pixels by
        their true class, down, and by the predicted one, background first.
    test_original_size : dict or None
        The same with predictions brought back to the images' own size, where they were resized.
    instances : dict or None
        The objects at the images' own size, see `kerasseg.objects.scores`; None where no sample has
        objects told apart, or none are to be.
    threshold_curve : dict
        See `kerasseg.metrics.pixel.threshold_curve`.
    pairs : dict or None
        How many pairs of a nucleus and its Golgi were ``found`` and are ``true``, in all and under ``images``
        in each, there with the mean lengths of their vectors and the unit; None where nobody asked.
    rebuilt : dict or None
        What is rebuilt from key points, see `kerasseg.commands.rebuilding.score`: ``averages``, and
        ``images``; None where a recipe has none.
    seconds_per_image : float
        Of prediction, reading included.
    seconds : dict
        The same of each image.
    seams : dict or None
        How much prediction by tiles differs from the whole on the largest test image, see
        `kerasseg.inference.seams.Seams`; None where one tile is enough.
    """

    threshold: float
    size: str
    test: dict[str, Any]
    test_original_size: dict[str, Any] | None
    instances: dict[str, Any] | None
    threshold_curve: dict[str, Any]
    pairs: dict[str, Any] | None
    rebuilt: dict[str, Any] | None
    seconds_per_image: float
    seconds: dict[str, float]
    seams: dict[str, Any] | None


@dataclass(frozen=True)
class _Answer:
    """What the model said of one sample, and how that compares with the truth."""

    sample: Sample
    counts: Counts | Confusion  # of classes that exclude each other
    counts_original_size: Counts | Confusion
    counts_by_threshold: Counts
    objects: list[Objects] | None
    pairs: dict[str, Any] | None
    rebuilt: Scores | None
    seconds: float


def evaluate(
    samples: Sequence[Sample],
    segmenter: Segmenter,
    *,
    folder: Path,
    score_objects: bool,
    pairing: Pairing | None = None,
    kernel: Kernel | None = None,
) -> Evaluation:
    """Predict samples, score them, and keep the predictions.

    Parameters
    ----------
    samples : sequence of Sample
        Images or volumes.
    segmenter : Segmenter
    folder : Path
        Gets ``predictions/<name>.mask.png`` for every sample, ``.mask.ome.tif`` where that is a volume or the
        model is multilabel, ``predictions/<name>.pairs.csv`` with pairs, and
        ``predictions/overlays/<name>.png`` for the best, the median and the worst; with `score_objects`
        ``predictions/objects.csv`` too, a row for each predicted object (see `kerasseg measure`); with a
        kernel ``predictions/rebuilt/<name>.png`` for the best, the median and the worst.
    score_objects : bool
        Whether to measure objects, and to score them where samples tell them apart.
    pairing : Pairing, optional
        Which nuclei belong to which Golgi.
    kernel : Kernel, optional
        What rebuilds an image from its points, where the one class is key points.

    Returns
    -------
    Evaluation
    """
    spec = segmenter.spec
    tables = Tables() if score_objects else None
    answers = [
        _answer(sample, segmenter, folder / PREDICTIONS, tables, pairing=pairing, kernel=kernel)
        for sample in track(samples, "predicting test images")
    ]
    if tables:
        with appearing(folder / OBJECTS, images_table(folder / OBJECTS)) as unfinished:
            tables.write(unfinished / Path(OBJECTS).name)
    resized = spec.resize is not None
    compared = {answer.sample.name: answer.objects for answer in answers if answer.objects is not None}
    evaluation = Evaluation(
        threshold=spec.threshold,
        size="x".join(map(str, spec.resize)) if resized else "original",
        test=_scored(answers, [answer.counts for answer in answers], spec.classes),
        test_original_size=_scored(answers, [answer.counts_original_size for answer in answers], spec.classes)
        if resized
        else None,
        instances=objects.scores(compared, spec.classes) if compared else None,
        threshold_curve=pixel.threshold_curve(
            [answer.counts_by_threshold for answer in answers], THRESHOLDS, spec.classes
        ),
        pairs=_all_pairs(answers) if pairing else None,
        rebuilt=_all_rebuilt(answers) if kernel else None,
        seconds_per_image=round(fmean(answer.seconds for answer in answers), 3),
        seconds={answer.sample.name: round(answer.seconds, 3) for answer in answers},
        seams=_seams(samples, segmenter),
    )
    _draw_overlays(samples, evaluation, folder / PREDICTIONS, spec, kernel)
    return evaluation


def _answer(
    sample: Sample,
    segmenter: Segmenter,
    folder: Path,
    tables: Tables | None,
    *,
    pairing: Pairing | None,
    kernel: Kernel | None,
) -> _Answer:
    """Predict a sample, keep its mask, and compare it with the truth, at both sizes where it was resized.

    Its objects are measured where there are tables for them.
    """
    spec = segmenter.spec
    if sample.is_large and spec.resize is None and not is_readable_whole(sample.size):
        if tables is not None or pairing:
            text = "its objects are not: kerasseg predict and kerasseg measure give them"
            message = f"{sample.name}: it is too large to be read whole, so its pixels are scored and {text}"
            warnings.warn(message, Notice, stacklevel=2)
        return _answer_by_bands(sample, segmenter, folder)
    started = time.monotonic()
    image, view = sample.read(), partial(with_channels, sample)
    probabilities = segmenter.predict(image, str(sample.image), resized=True, view=view)
    seconds = time.monotonic() - started
    truth, resized = sample.annotate(), spec.resize is not None
    full_size = resize(probabilities, sample.size) if resized else probabilities
    mask = spec.decide(full_size)
    landscape = spec.landscape(full_size)
    counts = _count(truth.mask, mask, spec)
    counts_original_size, true_mask = counts, truth.mask
    if resized:
        true_mask = resize_mask(truth.mask, probabilities.shape[:2])
        counts = _count(true_mask, spec.decide(probabilities), spec)
    if tables is not None:
        _measure(tables, sample, image, mask, spec.label(mask, landscape), spec)
    stem = folder / file_name(sample.name)
    mask_files.write(stem, mask, spec.classes, exclusive=not spec.multilabel, spacing=sample.spacing)
    return _Answer(
        sample,
        counts,
        counts_original_size,
        pixel.threshold_counts(spec.foreground(probabilities), true_mask, THRESHOLDS),
        None if tables is None else _compared(truth, mask, landscape, spec.foreground(full_size), spec),
        _paired(sample, truth, mask, pairing, spec, folder) if pairing else None,
        rebuilding.score(_seen(sample, spec), mask, kernel) if kernel else None,
        seconds,
    )


def _answer_by_bands(sample: Sample, segmenter: Segmenter, folder: Path) -> _Answer:
    """Predict a sample that memory does not hold, keep its mask, and compare it with the truth.

    Of its objects nothing is said, for they may lie in many bands.
    """
    spec, stem, started = segmenter.spec, folder / file_name(sample.name), time.monotonic()
    counts, counts_by_threshold = [], []
    with mask_files.unfinished(stem, sample.size, spec.classes, exclusive=not spec.multilabel) as kept:
        bands = segmenter.bands(sample.opened())
        for rows, band in track(bands, f"{sample.name}: rows", sample.size[0], lambda item: item[0].stop):
            truth = sample.annotated((rows, *(slice(None) for _ in sample.size[1:]))).mask
            kept[rows] = mask = spec.decide(band)
            counts.append(_count(truth, mask, spec))
            counts_by_threshold.append(pixel.threshold_counts(spec.foreground(band), truth, THRESHOLDS))
        seconds = time.monotonic() - started
        mask_files.write(stem, kept, spec.classes, exclusive=not spec.multilabel, spacing=sample.spacing)
    whole = confusion.pooled(counts) if isinstance(counts[0], Confusion) else reduce(add, counts)
    return _Answer(sample, whole, whole, reduce(add, counts_by_threshold), None, None, None, seconds)


def with_channels(sample: Sample, pixels: np.ndarray) -> np.ndarray:
    """Put the channels that a model sees beside the image behind those of the image."""
    if not sample.channels:
        return pixels
    beside = np.stack([channel() for channel in sample.channels], axis=-1)
    return np.concatenate([pixels, beside.astype(np.float32)], axis=-1)


def _compared(
    truth: Annotation,
    mask: np.ndarray,
    landscape: np.ndarray | None,
    probabilities: np.ndarray,
    spec: ModelSpec,
) -> list[Objects] | None:
    """Compare objects with objects, where the truth tells them apart; ignored pixels are of none."""
    if truth.labels is None:
        return None
    ignored = truth.mask == IGNORE
    mask = np.where(ignored, np.uint8(IGNORE), mask)
    labels = np.where(ignored, 0, spec.label(mask, landscape))  # holes that were filled may be ignored
    predicted = Labelled(labels, mask, not spec.multilabel)
    true = Labelled(np.where(ignored, 0, truth.labels), truth.mask, not spec.multilabel)
    return objects.compare(true, predicted, probabilities)


def _measure(
    tables: Tables, sample: Sample, image: np.ndarray, mask: np.ndarray, labels: np.ndarray, spec: ModelSpec
) -> None:
    """Measure the predicted objects, class by class where classes may overlap."""
    for k, layer in enumerate(np.moveaxis(labels, -1, 0) if spec.multilabel else [labels]):
        measured = measure(layer, image)
        class_ids = [k + 1] * (int(layer.max(initial=0)) + 1)
        if not spec.multilabel:
            class_ids = object_classes([(layer, mask)], len(class_ids) - 1, len(spec.classes))
        names = {number: spec.classes[class_ids[number] - 1] for number in measured.ids.tolist()}
        size = sample.spacing or (None,) * layer.ndim
        known = spec.classes[k : k + 1] if spec.multilabel else spec.classes
        tables.add(sample.name, measured, layer.shape, size, names, known)


def _paired(
    sample: Sample, truth: Annotation, mask: np.ndarray, pairing: Pairing, spec: ModelSpec, folder: Path
) -> dict[str, Any]:
    """Count the pairs of a prediction and those of the truth's mask, and write the former down."""
    pairs = {}
    judged = np.where(truth.mask == IGNORE, np.uint8(IGNORE), mask)
    for kind, pixels in {"found": judged, "true": truth.mask}.items():
        layers = split_classes(pixels, len(spec.classes), spec.multilabel)
        pairs[kind] = pairing(layers, spec.objects.label, sample.spacing)
    write_csv(folder / f"{file_name(sample.name)}.pairs.csv", pairs["found"], len(sample.size))
    lengths = {kind: [pair.length for pair in listed] for kind, listed in pairs.items()}
    return {
        **{kind: len(listed) for kind, listed in lengths.items()},
        **{f"mean_length_{kind}": fmean(listed) if listed else None for kind, listed in lengths.items()},
        "unit": "pixel" if sample.spacing is None else "micrometre",
    }


def _all_pairs(answers: Sequence[_Answer]) -> dict[str, Any]:
    images = {each.sample.name: each.pairs for each in answers if each.pairs is not None}
    return {what: sum(each[what] for each in images.values()) for what in ("found", "true")} | {
        "images": images
    }


def _all_rebuilt(answers: Sequence[_Answer]) -> dict[str, Any]:
    averages = rebuilding.averages([answer.rebuilt for answer in answers])
    return {
        "averages": averages,
        "images": {answer.sample.name: answer.rebuilt["model"] for answer in answers},
    }


def _seen(sample: Sample, spec: ModelSpec) -> np.ndarray:
    """The grey image as a network sees it: (Y, X) float32 in [0, 1]."""
    return spec.prepare(sample.read(), str(sample.image))[..., 0]


def _seams(samples: Sequence[Sample], segmenter: Segmenter) -> dict[str, Any] | None:
    """Measure seams on the largest sample, of which no more than its middle is read."""
    largest = max(samples, key=lambda sample: math.prod(sample.size))
    image, view = largest.read(largest.middle()), partial(with_channels, largest)
    seams = segmenter.seams(image, str(largest.image), view=view)
    return seams and {"image": largest.name, **asdict(seams)}


def _count(truth: np.ndarray, mask: np.ndarray, spec: ModelSpec) -> Counts | Confusion:
    if spec.multilabel:
        return pixel.count(truth, mask, len(spec.classes), exclusive=False)
    return confusion.confusion(truth, mask, len(spec.classes))


def _scored(
    answers: Sequence[_Answer], counts: Sequence[Counts | Confusion], classes: Sequence[str]
) -> dict[str, Any]:
    by_class = [pixel.of_confusion(each) if isinstance(each, Confusion) else each for each in counts]
    images = {
        each.sample.name: pixel.image_scores(of, classes) for each, of in zip(answers, by_class, strict=True)
    }
    scores = {"classes": pixel.scores(by_class, classes), "images": images}
    if not isinstance(counts[0], Confusion):
        return scores
    return {
        **scores,
        "averages": confusion.averages(counts),
        "confusion": confusion.pooled(counts).pixels.tolist(),
    }


def _draw_overlays(
    samples: Sequence[Sample],
    evaluation: Evaluation,
    folder: Path,
    spec: ModelSpec,
    kernel: Kernel | None,
) -> None:
    """Draw the best, the median and the worst prediction over its image, and what is rebuilt from it."""
    for drawn in ("overlays", "rebuilt"):
        shutil.rmtree(folder / drawn, ignore_errors=True)  # another threshold has another ranking
    by_name = {sample.name: sample for sample in samples}
    ranking = ranks(evaluation.test["images"])
    for place in sorted({0, len(ranking) // 2, len(ranking) - 1}) if ranking else ():
        name, sample = ranking[place].file_name, by_name[ranking[place].name]
        shown = sample.middle()
        predicted = mask_files.read(folder / name, shown, exclusive=not spec.multilabel)
        truth = sample.annotated(shown).mask
        overlay = pictures.overlay(sample.read(shown), truth, predicted, sample.spacing)
        write(folder / "overlays" / f"{name}.png", overlay)
        if kernel:
            image = _seen(sample, spec)
            picture = pictures.rebuilt(image, predicted, rebuilding.rebuilt(predicted, kernel))
            write(folder / "rebuilt" / f"{name}.png", picture)
