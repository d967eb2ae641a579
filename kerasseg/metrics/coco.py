"""Average precision as COCO defines it: the area under precision against recall.

Predicted objects of all images are taken in the order of their confidence; after each of them precision and
recall are those of the objects so far. Precision is made to fall by taking the best that comes at the same
or a higher recall, read at the recalls 0, 0.01, ... 1, and averaged (Lin et al. 2014, arXiv:1405.0312).

Equal to pycocotools' COCOeval for objects that do not overlap, without its limit of 100 objects an image.
Where there is no true object at all it is not defined: here 1 if none was predicted, otherwise 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.label_ids import consecutive
from kerasseg.metrics import bootstrap
from kerasseg.metrics.instance import THRESHOLDS, Overlap, match

RECALLS = np.linspace(0, 1, 101)


class Detections(NamedTuple):
    """The predicted objects of an image: how sure each is, and how well it fits."""

    confidence: np.ndarray  # (M,)
    iou: np.ndarray  # (M,) with the true object that it is matched with; 0 without one
    truths: int  # true objects


def detections(overlap: Overlap, confidence: np.ndarray) -> Detections:
    """Match an image's objects, the surest first.

    Parameters
    ----------
    overlap : Overlap
        See `kerasseg.metrics.instance.overlap`.
    confidence : np.ndarray
        (M,) of each predicted object, in the order of their ids.

    Returns
    -------
    Detections

    Raises
    ------
    UserError
        If there are not as many as predicted objects.
    """
    if len(confidence) != len(overlap.predicted_sizes):
        raise UserError(
            f"{len(overlap.predicted_sizes)} predicted objects were given {len(confidence)} confidences"
        )
    matches = match(overlap, confidence)
    iou = np.zeros(len(confidence))
    iou[overlap.predicted[matches]] = overlap.iou[matches]
    return Detections(np.asarray(confidence), iou, len(overlap.true_sizes))


def mean_probability(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Tell how sure each object is: the mean of its pixels' probabilities.

    Parameters
    ----------
    labels : np.ndarray
        (Y, X) or (Z, Y, X) int32 of M objects.
    probabilities : np.ndarray
        Of the same shape, in [0, 1]: of the class that each pixel was given.

    Returns
    -------
    np.ndarray
        (M,) float64 in the order of the ids.
    """
    _, numbers = consecutive(labels.ravel())
    sizes = np.bincount(numbers, minlength=1)
    sums = np.bincount(numbers, weights=probabilities.ravel(), minlength=1)
    present = np.flatnonzero(sizes[1:]) + 1
    return sums[present] / sizes[present]


def average_precision(images: Sequence[Detections]) -> np.ndarray:
    """Compute the average precision of a set of images at each of `THRESHOLDS`: (T,) float64 in [0, 1]."""
    return _precision(_rank(images), np.ones(len(images), np.int64))


def scores(images: Sequence[Detections], *, resamples: int = 200, seed: int = 0) -> dict:
    """Score a set of images, pooled: a ranking over images has no mean over images.

    Parameters
    ----------
    images : sequence of Detections
    resamples, seed : int
        See `kerasseg.metrics.bootstrap.scores`; here a resample ranks all objects again.

    Returns
    -------
    dict
        `average_precision_coco`, averaged over the thresholds, and `average_precision_coco_50` and `..._75`
        at those two, each with an `..._interval` of two floats.

    Raises
    ------
    UserError
        If there is no image.
    """
    if not images:
        raise UserError("there is no image to score")
    ranked = _rank(images)
    draws = bootstrap.draws(len(images), resamples, seed)
    resampled = _by_name(np.stack([_precision(ranked, weights) for weights in draws]))
    precision = _by_name(average_precision(images))
    return {name: float(value) for name, value in precision.items()} | {
        f"{name}_interval": bootstrap.interval(values).tolist() for name, values in resampled.items()
    }


class _Ranked(NamedTuple):
    """The predicted objects of all images, the surest first."""

    reached: np.ndarray  # (T, D) whether an object is matched at a threshold
    image: np.ndarray  # (D,) that it is of
    truths: np.ndarray  # (N,) true objects of each image


def _rank(images: Sequence[Detections]) -> _Ranked:
    order = np.argsort(-np.concatenate([each.confidence for each in images]), kind="stable")
    iou = np.concatenate([each.iou for each in images])[order]
    image = np.repeat(np.arange(len(images)), [len(each.iou) for each in images])[order]
    return _Ranked(iou >= THRESHOLDS[:, None], image, np.array([each.truths for each in images]))


def _precision(ranked: _Ranked, weights: np.ndarray) -> np.ndarray:
    """Average precision over recalls where each image counts `weights` times: (T,); NaN without truth."""
    truths = ranked.truths @ weights
    if truths == 0:
        return np.full(len(THRESHOLDS), np.nan)
    each = weights[ranked.image]
    tp = np.cumsum(ranked.reached * each, axis=1)
    precision = tp / np.maximum(np.cumsum(each), 1)
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # the best that follows
    places = [np.searchsorted(recall, RECALLS) for recall in tp / truths]  # beyond the last: never recalled
    return np.take_along_axis(np.pad(falling, ((0, 0), (0, 1))), np.stack(places), axis=1).mean(axis=1)


def _by_name(precision: np.ndarray) -> dict[str, np.ndarray]:
    """Name the mean over thresholds, and the values at 0.50 and at 0.75: (..., T) to (...)."""
    return {
        "average_precision_coco": precision.mean(axis=-1),
        "average_precision_coco_50": precision[..., 0],
        "average_precision_coco_75": precision[..., 5],
    }
