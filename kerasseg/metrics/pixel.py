"""How well a mask agrees with the truth, pixel by pixel: counts first, every score from counts.

Two averages exist and never share a name:

- **pooled** (`iou`, `dice`, `precision`, `recall`): the pixels of all images are counted together, then
  scored once;
- **per image** (`iou_per_image`, ...): each image is scored on its own, and the scores are averaged.

On one image, and on pooled pixels, Dice = 2 IoU / (1 + IoU) always holds; a mean over images need not keep
it.

**Without truth there is no score.** Where a class has no true pixel, every score of it is NaN, whatever was
predicted: nothing could be found, and "all found" would be a lie about a class that nobody drew. Means leave
such images out, as MONAI's DiceMetric does (``ignore_empty``); the pixels that were invented on them count
where images are pooled. Where there is truth and nothing was predicted every score is 0, precision included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasseg.images.masks import IGNORE
from kerasseg.metrics import bootstrap
from kerasseg.metrics.bootstrap import mean
from kerasseg.metrics.confusion import Confusion, confusion


class Counts(NamedTuple):
    """Pixels of each class: arrays of int64 whose last axis is the K foreground classes.

    Counts of two images add up: ``a + b`` are the counts of both.
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(np.add, self, other))


def count(mask: np.ndarray, prediction: np.ndarray, classes: int, exclusive: bool = True) -> Counts:
    """Count where a predicted mask is right and wrong, class by class.

    Parameters
    ----------
    mask : np.ndarray
        Truth of any shape, uint8: class ids 0..K, 255 where a pixel does not count. Where classes do not
        exclude each other (..., K) of 0 and 1, 255 where a pixel does not count for that class.
    prediction : np.ndarray
        Predicted class ids 0..K of the same shape, or (..., K) of 0 and 1.
    classes : int
        K, the number of foreground classes.
    exclusive : bool
        Whether a pixel is of one class at most.

    Returns
    -------
    Counts
        Four arrays of shape (K,).

    Raises
    ------
    UserError
        If the two differ in shape or hold a class beyond K.

    Examples
    --------
    >>> count(np.array([1, 1, 0, 255]), np.array([1, 0, 1, 1]), classes=1)
    Counts(tp=array([1]), fp=array([1]), fn=array([1]), tn=array([0]))
    """
    if exclusive or mask.shape != prediction.shape:  # which is refused there
        return of_confusion(confusion(mask, prediction, classes))
    each = [count(mask[..., k], prediction[..., k], 1) for k in range(classes)]
    return Counts(*map(np.concatenate, zip(*each, strict=True)))


def of_confusion(counts: Confusion) -> Counts:
    """Take what is counted of each foreground class out of what was taken for what."""
    pixels = counts.pixels
    tp = np.diagonal(pixels)[1:]
    fp = pixels.sum(axis=0)[1:] - tp
    fn = pixels.sum(axis=1)[1:] - tp
    return Counts(tp, fp, fn, pixels.sum() - tp - fp - fn)


def count_foreground(mask: np.ndarray, prediction: np.ndarray) -> Counts:
    """Count all classes as one: foreground against background, whatever the foreground is.

    Parameters
    ----------
    mask, prediction : np.ndarray
        Class ids of the same shape, uint8; 255 in the truth where a pixel does not count.

    Returns
    -------
    Counts
        Four arrays of shape (1,).
    """
    foreground = np.where(mask == IGNORE, IGNORE, mask > 0).astype(np.uint8)
    return count(foreground, (prediction > 0).astype(np.uint8), 1)


def iou(counts: Counts) -> np.ndarray:
    """Intersection over union, TP / (TP + FP + FN), the Jaccard index; of the shape of the counts."""
    return ratio(counts.tp, counts.tp + counts.fp + counts.fn, counts)


def mean_iou_two_class(counts: Counts) -> np.ndarray:
    """Mean of the IoU of a class and that of all the rest; of the shape of the counts.

    Many papers' MIoU, where it is not `iou` itself. Where most pixels are background it is far above that.
    """
    return mean([iou(counts), iou(Counts(counts.tn, counts.fn, counts.fp, counts.tp))], axis=0)


def dice(counts: Counts) -> np.ndarray:
    """Dice coefficient, 2 TP / (2 TP + FP + FN), the F1 score; of the shape of the counts."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, counts)


def precision(counts: Counts) -> np.ndarray:
    """How much of the prediction is true, TP / (TP + FP); of the shape of the counts."""
    return ratio(counts.tp, counts.tp + counts.fp, counts)


def recall(counts: Counts) -> np.ndarray:
    """How much of the truth is found, TP / (TP + FN); of the shape of the counts."""
    return ratio(counts.tp, counts.tp + counts.fn, counts)


def ratio(part: np.ndarray, whole: np.ndarray, counts: Counts) -> np.ndarray:
    """Divide; 0 by 0 is 0, and without any truth there is no ratio: NaN.

    `counts` are any that have `tp` and `fn`: of pixels, or of objects.
    """
    return np.where(counts.tp + counts.fn > 0, part / np.maximum(whole, 1), np.nan)


SCORES: dict[str, Callable[[Counts], np.ndarray]] = {
    "iou": iou,
    "dice": dice,
    "precision": precision,
    "recall": recall,
}


def image_scores(counts: Counts, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Score one image (or counts that were pooled): ``{"cell": {"iou": 0.8, ...}, ...}``."""
    values = {name: score(counts) for name, score in SCORES.items()}
    return {
        label: {name: float(value[k]) for name, value in values.items()} for k, label in enumerate(classes)
    }


def scores(
    counts: Sequence[Counts], classes: Sequence[str], *, resamples: int = 2000, seed: int = 0
) -> dict[str, dict[str, float | list[float]]]:
    """Score a set of images, pooled and per image, with 95 % intervals over images.

    Parameters
    ----------
    counts : sequence of Counts
        One for each image, arrays of shape (K,).
    classes : sequence of str
        Names of the K foreground classes.
    resamples : int
        How often the images are drawn again for an interval; see `kerasseg.metrics.bootstrap.scores`.
    seed : int
        Seed of the draws: the same counts always give the same intervals.

    Returns
    -------
    dict
        For each class: `iou`, `dice`, `precision` and `recall` pooled, the same names with `_per_image` as
        means over images, and for each of the eight an `..._interval` of two floats; NaN without truth.

    Raises
    ------
    UserError
        If there is no image.
    """
    found = bootstrap.scores(counts, SCORES, resamples=resamples, seed=seed)
    return {
        label: {name: value[k].tolist() for name, value in found.items()} for k, label in enumerate(classes)
    }


def threshold_counts(probabilities: np.ndarray, mask: np.ndarray, thresholds: Sequence[float]) -> Counts:
    """Count as `count` does, at many thresholds in one pass, each class against all else.

    Parameters
    ----------
    probabilities : np.ndarray
        (..., K) float32, the foreground classes only.
    mask : np.ndarray
        (...) uint8 class ids, 255 ignored; or (..., K) of 0, 1 and 255 where classes do not exclude each
        other.
    thresholds : sequence of float
        T rising thresholds; a pixel is predicted where its probability is at least the threshold.

    Returns
    -------
    Counts
        Four arrays of shape (T, K).
    """
    edges = np.asarray(thresholds, dtype=probabilities.dtype)
    exclusive = mask.ndim < probabilities.ndim
    columns = []
    for k in range(probabilities.shape[-1]):
        of_class = mask if exclusive else mask[..., k]
        counted = of_class != IGNORE
        truth = of_class[counted] == (k + 1 if exclusive else 1)
        columns.append(_above(probabilities[..., k][counted], truth, edges))
    return Counts(*(np.stack(arrays, axis=1) for arrays in zip(*columns, strict=True)))


def _above(values: np.ndarray, truth: np.ndarray, edges: np.ndarray) -> Counts:
    """Count pixels at or above each edge from two histograms: arrays (T,)."""
    bins = np.searchsorted(edges, values, side="right")  # how many thresholds a pixel passes
    histograms = np.bincount(bins + (len(edges) + 1) * truth, minlength=2 * (len(edges) + 1)).reshape(2, -1)
    (tn, fn), (fp, tp) = (
        np.cumsum(histograms, axis=1)[:, :-1],
        np.cumsum(histograms[:, ::-1], axis=1)[:, -2::-1],
    )
    return Counts(tp, fp, fn, tn)


def threshold_curve(
    counts: Sequence[Counts], thresholds: Sequence[float], classes: Sequence[str]
) -> dict[str, Any]:
    """Show how pooled scores depend on the threshold.

    Parameters
    ----------
    counts : sequence of Counts
        What `threshold_counts` gave for each image.
    thresholds : sequence of float
        The T thresholds it was given.
    classes : sequence of str
        Names of the K foreground classes.

    Returns
    -------
    dict
        `threshold` and the four pooled scores, each a list of T floats, averaged over classes; under
        `classes` the same four of each class.
    """
    pooled = Counts(*(np.sum(arrays, axis=0) for arrays in zip(*counts, strict=True)))
    found = {name: score(pooled) for name, score in SCORES.items()}
    return {
        "threshold": [float(threshold) for threshold in thresholds],
        **{name: mean(values, axis=-1).tolist() for name, values in found.items()},
        "classes": {
            label: {name: values[:, k].tolist() for name, values in found.items()}
            for k, label in enumerate(classes)
        },
    }
