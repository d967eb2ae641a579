"""How good a model is on images that it never saw, and what it says of each of them."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import postprocess
from kerasseg.annotations.masks import read_labels, write_mask
from kerasseg.classes import IGNORE
from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.images.files import write
from kerasseg.images.resize import resize, resize_mask
from kerasseg.metrics import objects, pixel
from kerasseg.metrics.objects import Labelled, Objects
from kerasseg.metrics.pixel import Counts
from kerasseg.prediction.predictor import Predictor
from kerasseg.report import pictures
from kerasseg.report.ranking import file_name, ranks

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
    seconds_per_image : float
        Of prediction, reading included.
    seams : dict or None
        How much prediction by tiles differs from the whole on the largest test image, see
        `kerasseg.prediction.seams.Seams`; None where one tile is enough.
    """

    threshold: float
    size: str
    test: dict[str, Any]
    test_original_size: dict[str, Any] | None
    instances: dict[str, Any] | None
    threshold_curve: dict[str, list[float]]
    seconds_per_image: float
    seams: dict[str, Any] | None


@dataclass(frozen=True)
class _Answer:
    """What the model said of one sample, and how that compares with the truth."""

    sample: Sample
    counts: Counts
    counts_original_size: Counts
    counts_by_threshold: Counts
    objects: list[Objects] | None


def judge(
    samples: Sequence[Sample],
    predictor: Predictor,
    *,
    classes: Sequence[str],
    activation: str,
    threshold: float,
    number: Number | None,
    folder: Path,
) -> Judgement:
    """Predict samples, score them, and keep the predictions.

    Parameters
    ----------
    samples : sequence of Sample
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
        Gets ``predictions/<name>.mask.png`` for every sample, and ``predictions/overlays/<name>.png`` for the
        best, the median and the worst.

    Returns
    -------
    Judgement
    """
    started = time.monotonic()
    decide = {"threshold": threshold, "activation": activation}
    answers = [
        _answer(sample, predictor, classes, decide, number, folder / "predictions")
        for sample in track(samples, "predicting test images")
    ]
    seconds = (time.monotonic() - started) / len(samples)
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
        seconds_per_image=round(seconds, 3),
        seams=_seams(samples, predictor),
    )
    _show(samples, judgement, folder / "predictions")
    return judgement


def _answer(
    sample: Sample,
    predictor: Predictor,
    classes: Sequence[str],
    decide: dict,
    number: Number | None,
    folder: Path,
) -> _Answer:
    probabilities = predictor.as_seen(sample.read(), str(sample.image))
    annotation = sample.annotate()
    seen_truth = resize_mask(annotation.mask, probabilities.shape[:2])
    full = resize(probabilities, sample.size)
    mask = postprocess.mask(full, **decide)
    write_mask(folder / f"{file_name(sample.name)}.mask.png", mask)
    foreground = slice(1, None) if decide["activation"] == "softmax" else slice(None)
    return _Answer(
        sample,
        pixel.count(seen_truth, postprocess.mask(probabilities, **decide), len(classes)),
        pixel.count(annotation.mask, mask, len(classes)),
        pixel.threshold_counts(probabilities[..., foreground], seen_truth, THRESHOLDS),
        _compared(annotation, mask, full[..., foreground], number),
    )


def _compared(
    truth: Annotation, mask: np.ndarray, probabilities: np.ndarray, number: Number | None
) -> list[Objects] | None:
    """Compare objects with objects, where both are told apart; ignored pixels are of none."""
    if number is None or truth.labels is None:
        return None
    ignored = truth.mask == IGNORE
    mask = np.where(ignored, np.uint8(IGNORE), mask)
    found = Labelled(number(mask), mask)
    return objects.compare(Labelled(np.where(ignored, 0, truth.labels), truth.mask), found, probabilities)


def _seams(samples: Sequence[Sample], predictor: Predictor) -> dict[str, Any] | None:
    largest = max(samples, key=lambda sample: math.prod(sample.size))
    found = predictor.seams(largest.read(), str(largest.image))
    return found and {"image": largest.name, **asdict(found)}


def _scored(answers: Sequence[_Answer], counts: Sequence[Counts], classes: Sequence[str]) -> dict[str, Any]:
    images = {
        each.sample.name: pixel.image_scores(of, classes) for each, of in zip(answers, counts, strict=True)
    }
    return {"classes": pixel.scores(counts, classes), "images": images}


def _show(samples: Sequence[Sample], judgement: Judgement, folder: Path) -> None:
    """Draw the best, the median and the worst prediction over its image."""
    shutil.rmtree(folder / "overlays", ignore_errors=True)  # another threshold has another ranking
    named = {sample.name: sample for sample in samples}
    ranking = ranks(judgement.test["images"])
    for place in sorted({0, len(ranking) // 2, len(ranking) - 1}):
        name, sample = ranking[place].file_name, named[ranking[place].name]
        predicted = read_labels(folder / f"{name}.mask.png").astype(np.uint8)
        overlay = pictures.overlay(sample.read(), sample.annotate().mask, predicted)
        write(folder / "overlays" / f"{name}.png", overlay)
