"""How well objects are found: true and predicted labels matched, counts first, every score from counts.

Objects are matched one to one where their intersection over union (IoU) reaches a threshold. From a half on
an object can have no two rivals, but where two halves of an object were each taken for one: those count as
one that was found and one that was not. So no assignment problem has to be solved, and the pairs that share a
pixel are all that is looked at: never all pairs of objects.

As in `kerasseg.metrics.pixel`, **nothing against nothing is 1**, and something against nothing is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from kerasseg.errors import UserError
from kerasseg.images.label_ids import consecutive
from kerasseg.metrics import bootstrap
from kerasseg.metrics.pixel import dice as f1
from kerasseg.metrics.pixel import iou as jaccard_index
from kerasseg.metrics.pixel import precision, ratio, recall

THRESHOLDS = np.arange(50, 100, 5) / 100
TOUCHING = 0.1  # IoU from which an object is a part of another: Caicedo et al. 2019
PERCENT_50 = (..., 0)  # where THRESHOLDS begin


class Overlap(NamedTuple):
    """Sizes of N true and M predicted objects, and of the intersections of the P pairs that have one.

    Objects are numbered from 0, in the order of their ids; pairs are sorted by `true`, then by `predicted`.
    """

    true_sizes: np.ndarray  # (N,)
    predicted_sizes: np.ndarray  # (M,)
    true: np.ndarray  # (P,)
    predicted: np.ndarray  # (P,)
    intersections: np.ndarray  # (P,)

    @property
    def unions(self) -> np.ndarray:
        """Pixels of either object of a pair: (P,)."""
        return self.true_sizes[self.true] + self.predicted_sizes[self.predicted] - self.intersections

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of the pairs: (P,) float64 in (0, 1]."""
        return self.intersections / self.unions


def overlap(labels: np.ndarray, prediction: np.ndarray) -> Overlap:
    """Count the pixels that true and predicted objects share.

    Parameters
    ----------
    labels : np.ndarray
        Truth, (Y, X) or (Z, Y, X) int32: one id an object, 0 for background. Ids may leave gaps.
    prediction : np.ndarray
        Predicted labels of the same shape.

    Returns
    -------
    Overlap

    Raises
    ------
    UserError
        If the two differ in shape.
    """
    if labels.shape != prediction.shape:
        raise UserError(f"labels of shape {labels.shape} were compared with labels of {prediction.shape}")
    labels, prediction, pixels = _runs(labels.ravel(), prediction.ravel())
    _, labels = consecutive(labels)
    _, prediction = consecutive(prediction)
    true_sizes, true = _sizes(labels, pixels)
    predicted_sizes, predicted = _sizes(prediction, pixels)
    both = (labels > 0) & (prediction > 0)
    pairs = true[labels[both]], predicted[prediction[both]]
    shape = len(true_sizes), len(predicted_sizes)
    table = sparse.coo_array((pixels[both], pairs), shape).tocsr().tocoo()  # adds up what a pair has
    return Overlap(true_sizes, predicted_sizes, table.row, table.col, table.data)


def _runs(labels: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take stretches of one pair of ids together: their two ids and their pixels, a tenth of the work."""
    changes = (labels[1:] != labels[:-1]) | (prediction[1:] != prediction[:-1])
    starts = np.flatnonzero(np.concatenate([[labels.size > 0], changes]))
    return labels[starts], prediction[starts], np.diff(starts, append=labels.size)


def _sizes(ids: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the sizes of the objects, and a table from their ids to 0..N-1."""
    sizes = np.bincount(ids, weights=pixels, minlength=1).astype(np.int64)
    sizes[0] = 0
    return sizes[sizes > 0], np.cumsum(sizes > 0) - 1


def match(overlap: Overlap, confidence: np.ndarray | None = None) -> np.ndarray:
    """Pair objects one to one whose IoU is at least a half.

    Parameters
    ----------
    overlap : Overlap
    confidence : np.ndarray, optional
        (M,) of each predicted object: between two halves of an object the surer one is taken, not the first.

    Returns
    -------
    np.ndarray
        Which of the P pairs are matches; those at a higher threshold are those of them that reach it.
    """
    pairs = np.flatnonzero(overlap.iou >= THRESHOLDS[0])
    if confidence is not None:
        pairs = pairs[np.argsort(-confidence[overlap.predicted[pairs]], kind="stable")]
    for objects in (overlap.true, overlap.predicted):
        pairs = pairs[np.sort(np.unique(objects[pairs], return_index=True)[1])]
    return pairs


class Counts(NamedTuple):
    """Objects of an image: arrays whose last axis, where there is one, is that of the T thresholds.

    Counts of two images add up: ``a + b`` are the counts of both.
    """

    tp: np.ndarray  # (T,) matched pairs
    fp: np.ndarray  # (T,) predicted objects without a match
    fn: np.ndarray  # (T,) true objects without a match
    iou: np.ndarray  # (T,) float64, summed over the matched pairs
    intersection: np.ndarray  # () pixels, aggregated as the AJI does
    union: np.ndarray  # () pixels
    splits: np.ndarray  # () true objects in several parts
    merges: np.ndarray  # () predicted objects of several

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(np.add, self, other))


def count(overlap: Overlap) -> Counts:
    """Count what was found at each of `THRESHOLDS`, and what was split and merged.

    Parameters
    ----------
    overlap : Overlap

    Returns
    -------
    Counts

    Notes
    -----
    An object is split, or merged, where its IoU with two or more objects is above 0.1 (Caicedo et al. 2019,
    doi:10.1002/cyto.a.23863).

    Examples
    --------
    >>> found = count(overlap(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 5, 0]])))
    >>> found.tp.tolist(), found.fp[0], found.fn[0]
    ([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.int64(0), np.int64(1))
    """
    iou = overlap.iou[match(overlap)]
    reached = iou >= THRESHOLDS[:, None]
    tp = reached.sum(axis=1)
    touching = overlap.iou > TOUCHING
    return Counts(
        tp,
        len(overlap.predicted_sizes) - tp,
        len(overlap.true_sizes) - tp,
        (reached * iou).sum(axis=1),
        *_aggregated(overlap),
        _several(overlap.true[touching]),
        _several(overlap.predicted[touching]),
    )


def _several(objects: np.ndarray) -> np.ndarray:
    """Count the objects that are named more than once."""
    return np.count_nonzero(np.bincount(objects) > 1)


def _aggregated(overlap: Overlap) -> tuple[int, int]:
    """Add up intersections and unions of every true object with the predicted one that fits it best.

    True objects that meet none count as they are, and so do predicted objects that fit none best.
    """
    order = np.lexsort((-overlap.iou, overlap.true))
    best = order[np.unique(overlap.true[order], return_index=True)[1]]
    missed = overlap.true_sizes.sum() - overlap.true_sizes[overlap.true[best]].sum()
    invented = np.delete(overlap.predicted_sizes, overlap.predicted[best]).sum()
    return overlap.intersections[best].sum(), overlap.unions[best].sum() + missed + invented


def average_precision_dsb2018(counts: Counts) -> np.ndarray:
    """TP / (TP + FP + FN), averaged over the thresholds: the Data Science Bowl's of 2018.

    The competition's own figure is its mean over images. Its rules say "greater than" a threshold, StarDist
    and COCO "at least", and so do we.
    """
    return jaccard_index(counts).mean(axis=-1)


def aggregated_jaccard_index(counts: Counts) -> np.ndarray:
    """AJI, the aggregated intersections over the aggregated unions (Kumar et al. 2017).

    By Algorithm 1 of doi:10.1109/TMI.2017.2677499: a predicted object may fit several true ones best.
    """
    has_truth = (counts.tp + counts.fn)[..., 0] > 0
    return np.where(has_truth, counts.intersection / np.maximum(counts.union, 1), np.nan)


def panoptic_quality(counts: Counts) -> np.ndarray:
    """PQ = SQ x RQ, the IoU of matches over TP + FP / 2 + FN / 2 (Kirillov et al. 2019, arXiv:1801.00868)."""
    return ratio(counts.iou, counts.tp + (counts.fp + counts.fn) / 2, counts)[PERCENT_50]


def segmentation_quality(counts: Counts) -> np.ndarray:
    """SQ, the mean IoU of the objects that are matched at 0.5."""
    return ratio(counts.iou, counts.tp, counts)[PERCENT_50]


def recognition_quality(counts: Counts) -> np.ndarray:
    """RQ, the F1 score at 0.5: 2 TP / (2 TP + FP + FN)."""
    return f1(counts)[PERCENT_50]


SCORES: dict[str, Callable[[Counts], np.ndarray]] = {
    "average_precision_dsb2018": average_precision_dsb2018,
    "aji": aggregated_jaccard_index,
    "pq": panoptic_quality,
    "sq": segmentation_quality,
    "rq": recognition_quality,
}
BY_THRESHOLD: dict[str, Callable[[Counts], np.ndarray]] = {"f1": f1, "precision": precision, "recall": recall}


def image_scores(counts: Counts) -> dict[str, float]:
    """Score one image (or counts that were pooled): ``{"aji": 0.7, ..., "splits": 2, "merges": 0}``."""
    return {name: float(score(counts)) for name, score in SCORES.items()} | _objects(counts)


def _objects(counts: Counts) -> dict[str, int]:
    return {
        "true_objects": int(counts.tp[0] + counts.fn[0]),
        "predicted_objects": int(counts.tp[0] + counts.fp[0]),
        "splits": int(counts.splits),
        "merges": int(counts.merges),
    }


def scores(counts: Sequence[Counts], *, resamples: int = 2000, seed: int = 0) -> dict:
    """Score a set of images, pooled and per image, with 95 % intervals over images.

    Parameters
    ----------
    counts : sequence of Counts
        One for each image.
    resamples, seed : int
        See `kerasseg.metrics.bootstrap.scores`.

    Returns
    -------
    dict
        The names of `SCORES` pooled, the same with `_per_image` as means over images, and for each of them an
        `..._interval` of two floats; `true_objects`, `predicted_objects`, `splits` and `merges`, summed; and
        `by_threshold`, which holds `iou` and lists of `f1`, `precision` and `recall` in the same manner.

    Raises
    ------
    UserError
        If there is no image.
    """
    pooled = Counts(*(np.sum(arrays, axis=0) for arrays in zip(*counts, strict=True)))
    single = bootstrap.scores(counts, SCORES, resamples=resamples, seed=seed)
    by_threshold = bootstrap.scores(counts, BY_THRESHOLD, resamples=resamples, seed=seed)
    return {
        **{name: array.tolist() for name, array in single.items()},
        **_objects(pooled),
        "by_threshold": {
            "iou": THRESHOLDS.tolist(),
            **{name: array.tolist() for name, array in by_threshold.items()},
        },
    }
