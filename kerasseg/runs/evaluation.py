"""How good a model is on images that it never saw, and what it says of each of them."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from kerasseg import postprocess
from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.images.files import write
from kerasseg.images.names import file_name
from kerasseg.images.resize import resize, resize_mask
from kerasseg.inference.predictor import Predictor
from kerasseg.masks import IGNORE
from kerasseg.metrics import objects, pixel
from kerasseg.metrics.objects import Labelled, Objects
from kerasseg.metrics.pixel import Counts
from kerasseg.postprocess.pairs import Pairing, write_csv
from kerasseg.report import pictures
from kerasseg.report.ranking import ranks
from kerasseg.runs import predictions

THRESHOLDS = np.linspace(0.02, 0.98, 49).round(2)

Number = Callable[[np.ndarray], np.ndarray]
"""From a mask to labels; see `kerasseg.postprocess.INSTANCES`."""


@dataclass(frozen=True)
class Judgement:
    """The scores of a model.

    Attributes
    ----------
    threshold : float
        From which probability on a pixel belongs to a class.
    size : str
        At which size ``test`` was scored: that of the recipe's ``resize``, or the images' own.
    test : dict
        ``classes``: see `kerasseg.metrics.pixel.scores`; ``images``: the scores of each.
    test_original_size : dict or None
        The same with predictions brought back to the images' own size, where they were resized.
    instances : dict or None
        The objects at the images' own size, see `kerasseg.metrics.objects.scores`; None where no sample has
        objects told apart, or none are to be.
    threshold_curve : dict
        See `kerasseg.metrics.pixel.threshold_curve`.
    pairs : dict or None
        How many pairs of a nucleus and its Golgi were ``found`` and are ``true``, in all and under ``images``
        in each, there with the mean lengths of their vectors and the unit; None where nobody asked.
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
    seconds_per_image: float
    seconds: dict[str, float]
    seams: dict[str, Any] | None


@dataclass(frozen=True)
class _Answer:
    """What the model said of one sample, and how that compares with the truth."""

    sample: Sample
    counts: Counts
    counts_original_size: Counts
    counts_by_threshold: Counts
    objects: list[Objects] | None
    pairs: dict[str, Any] | None
    seconds: float


def judge(
    samples: Sequence[Sample],
    predictor: Predictor,
    *,
    classes: Sequence[str],
    activation: str,
    threshold: float,
    number: Number | None,
    folder: Path,
    exclusive: bool = True,
    pairing: Pairing | None = None,
) -> Judgement:
    """Predict samples, score them, and keep the predictions.

    Parameters
    ----------
    samples : sequence of Sample
        Images or volumes.
    predictor : Predictor
    classes : sequence of str
        Names of the foreground classes.
    activation : {"sigmoid", "softmax"}
        Of the model's head.
    threshold : float
        From which probability on a pixel belongs to a class.
    number : callable or None
        How a mask becomes labels; None scores no objects.
    folder : Path
        Gets ``predictions/<name>.mask.png`` for every sample, ``.mask.tif`` where that is a volume or classes
        do not exclude each other, ``predictions/<name>.pairs.csv`` with pairs, and
        ``predictions/overlays/<name>.png`` for the best, the median and the worst.
    exclusive : bool
        Whether a pixel is of one class at most; otherwise masks have a last axis of classes.
    pairing : Pairing, optional
        Which nuclei belong to which Golgi; it needs `number`.

    Returns
    -------
    Judgement
    """
    ask = _Asked(tuple(classes), activation, threshold, exclusive, number, pairing, folder / "predictions")
    answers = [_answer(sample, predictor, ask) for sample in track(samples, "predicting test images")]
    resized = predictor.resize is not None
    by_threshold = [each.counts_by_threshold for each in answers]
    found = {each.sample.name: each.objects for each in answers if each.objects is not None}
    judgement = Judgement(
        threshold=threshold,
        size="x".join(map(str, predictor.resize)) if resized else "original",
        test=_scored(answers, [each.counts for each in answers], classes),
        test_original_size=_scored(answers, [each.counts_original_size for each in answers], classes)
        if resized
        else None,
        instances=objects.scores(found, classes) if found else None,
        threshold_curve=pixel.threshold_curve(by_threshold, THRESHOLDS, classes),
        pairs=_all_pairs(answers) if pairing else None,
        seconds_per_image=round(fmean(each.seconds for each in answers), 3),
        seconds={each.sample.name: round(each.seconds, 3) for each in answers},
        seams=_seams(samples, predictor),
    )
    _show(samples, judgement, ask)
    return judgement


@dataclass(frozen=True)
class _Asked:
    """What is asked of every sample, as `judge` takes it."""

    classes: tuple[str, ...]
    activation: str
    threshold: float
    exclusive: bool
    number: Number | None
    pairing: Pairing | None
    folder: Path

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        return postprocess.mask(probabilities, self.threshold, self.activation, self.exclusive)

    def foreground(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities[..., 1:] if self.activation == "softmax" else probabilities

    def count(self, truth: np.ndarray, mask: np.ndarray) -> Counts:
        return pixel.count(truth, mask, len(self.classes), self.exclusive)


def _answer(sample: Sample, predictor: Predictor, ask: _Asked) -> _Answer:
    started = time.monotonic()
    seen = predictor.as_seen(sample.read(), str(sample.image))
    seconds = time.monotonic() - started
    truth = sample.annotate()
    resized = predictor.resize is not None
    full = resize(seen, sample.size) if resized else seen
    mask = ask.decide(full)
    counts = ask.count(truth.mask, mask)
    seen_truth = resize_mask(truth.mask, seen.shape[:2]) if resized else truth.mask
    stem = ask.folder / file_name(sample.name)
    predictions.write(stem, mask, ask.classes, exclusive=ask.exclusive, spacing=sample.spacing)
    return _Answer(
        sample,
        ask.count(seen_truth, ask.decide(seen)) if resized else counts,
        counts,
        pixel.threshold_counts(ask.foreground(seen), seen_truth, THRESHOLDS),
        _compared(truth, mask, ask.foreground(full), ask),
        _paired(sample, truth, mask, ask),
        seconds,
    )


def _compared(
    truth: Annotation, mask: np.ndarray, probabilities: np.ndarray, ask: _Asked
) -> list[Objects] | None:
    """Compare objects with objects, where both are told apart; ignored pixels are of none."""
    if ask.number is None or truth.labels is None:
        return None
    ignored = truth.mask == IGNORE
    mask = np.where(ignored, np.uint8(IGNORE), mask)
    found = Labelled(postprocess.numbered(mask, ask.number, ask.exclusive), mask, ask.exclusive)
    known = Labelled(np.where(ignored, 0, truth.labels), truth.mask, ask.exclusive)
    return objects.compare(known, found, probabilities)


def _paired(sample: Sample, truth: Annotation, mask: np.ndarray, ask: _Asked) -> dict[str, Any] | None:
    """Count the pairs of a prediction and those of the truth's mask, and write the former down."""
    if ask.pairing is None:
        return None
    masks = {"found": mask, "true": truth.mask}
    layers = {what: postprocess.layers(each, len(ask.classes), ask.exclusive) for what, each in masks.items()}
    found = {what: ask.pairing(each, ask.number, sample.spacing) for what, each in layers.items()}
    write_csv(ask.folder / f"{file_name(sample.name)}.pairs.csv", found["found"], len(sample.size))
    lengths = {what: [pair.length for pair in each] for what, each in found.items()}
    return {
        **{what: len(each) for what, each in found.items()},
        **{f"mean_length_{what}": fmean(each) if each else None for what, each in lengths.items()},
        "unit": "pixel" if sample.spacing is None else "micrometre",
    }


def _all_pairs(answers: Sequence[_Answer]) -> dict[str, Any]:
    images = {each.sample.name: each.pairs for each in answers}
    return {what: sum(each[what] for each in images.values()) for what in ("found", "true")} | {
        "images": images
    }


def _seams(samples: Sequence[Sample], predictor: Predictor) -> dict[str, Any] | None:
    largest = max(samples, key=lambda sample: math.prod(sample.size))
    found = predictor.seams(largest.read(), str(largest.image))
    return found and {"image": largest.name, **asdict(found)}


def _scored(answers: Sequence[_Answer], counts: Sequence[Counts], classes: Sequence[str]) -> dict[str, Any]:
    images = {
        each.sample.name: pixel.image_scores(of, classes) for each, of in zip(answers, counts, strict=True)
    }
    return {"classes": pixel.scores(counts, classes), "images": images}


def _show(samples: Sequence[Sample], judgement: Judgement, ask: _Asked) -> None:
    """Draw the best, the median and the worst prediction over its image."""
    shutil.rmtree(ask.folder / "overlays", ignore_errors=True)  # another threshold has another ranking
    named = {sample.name: sample for sample in samples}
    ranking = ranks(judgement.test["images"])
    for place in sorted({0, len(ranking) // 2, len(ranking) - 1}) if ranking else ():
        name, sample = ranking[place].file_name, named[ranking[place].name]
        predicted = predictions.read(ask.folder / name, exclusive=ask.exclusive)
        overlay = pictures.overlay(sample.read(), sample.annotate().mask, predicted, sample.spacing)
        write(ask.folder / "overlays" / f"{name}.png", overlay)
