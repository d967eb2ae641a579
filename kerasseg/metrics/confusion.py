"""Which class was taken for which, pixel by pixel, and the F1 scores that average over classes.

Every average goes by scikit-learn's name for it (`sklearn.metrics.f1_score`, ``average=``), with the
background as a class among the others, and once more as ``..._foreground`` without it:

- **micro** pools the pixels of all classes. With the background that is the accuracy, the share of pixels
  that are right; it is high wherever most of an image is background.
- **macro** is the mean over classes, rare ones counting as much as others.
- **weighted** is the mean over classes by how many true pixels each has.

As in `kerasseg.metrics.pixel`, whose Dice is the F1 of one class, a class without a true pixel has no score
and no part in a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.masks import IGNORE
from kerasseg.metrics import bootstrap
from kerasseg.metrics.bootstrap import mean


class Confusion(NamedTuple):
    """Pixels by their true class, down, and by the predicted one, across; 0 is background.

    Attributes
    ----------
    pixels : np.ndarray
        (..., K + 1, K + 1) int64.
    """

    pixels: np.ndarray

    def widened(self, classes: int) -> Confusion:
        """Add classes that have no pixel, up to K of `classes`."""
        more = classes + 1 - self.pixels.shape[-1]
        return Confusion(np.pad(self.pixels, [(0, 0)] * (self.pixels.ndim - 2) + [(0, more)] * 2))


def confusion(mask: np.ndarray, prediction: np.ndarray, classes: int) -> Confusion:
    """Count pairs of a true and a predicted class.

    Parameters
    ----------
    mask : np.ndarray
        Truth of any shape, uint8: class ids 0..K, 255 where a pixel does not count.
    prediction : np.ndarray
        Predicted class ids 0..K of the same shape.
    classes : int
        K, the number of foreground classes.

    Returns
    -------
    Confusion
        (K + 1, K + 1).

    Raises
    ------
    UserError
        If the two differ in shape or hold a class beyond K.

    Examples
    --------
    >>> confusion(np.array([1, 1, 0, 255]), np.array([1, 0, 1, 1]), classes=1).pixels
    array([[0, 1],
           [1, 1]])
    """
    if mask.shape != prediction.shape:
        raise UserError(
            f"a mask of shape {mask.shape} was compared with a prediction of shape {prediction.shape}"
        )
    counted = mask != IGNORE
    truth, prediction = mask[counted], prediction[counted]
    highest = max(truth.max(initial=0), prediction.max(initial=0))
    if highest > classes:
        raise UserError(
            f"a mask holds class id {highest}, but there are {classes} classes (ids 1 to {classes})"
        )
    pairs = truth.astype(np.intp) * (classes + 1) + prediction
    return Confusion(np.bincount(pairs, minlength=(classes + 1) ** 2).reshape(classes + 1, classes + 1))


def f1(counts: Confusion) -> np.ndarray:
    """F1 of each class against all else, 2 TP / (2 TP + FP + FN), background first: (..., K + 1)."""
    right, true, predicted = _totals(counts.pixels)
    return np.where(true > 0, 2 * right / np.maximum(true + predicted, 1), np.nan)


def micro(counts: Confusion, first: int) -> np.ndarray:
    """F1 of the pixels of all classes from `first` on, pooled: (...)."""
    right, true, predicted = (total[..., first:].sum(axis=-1) for total in _totals(counts.pixels))
    return np.where(true > 0, 2 * right / np.maximum(true + predicted, 1), np.nan)


def macro(counts: Confusion, first: int) -> np.ndarray:
    """Mean of the F1 of all classes from `first` on: (...)."""
    return mean(f1(counts)[..., first:], axis=-1)


def weighted(counts: Confusion, first: int) -> np.ndarray:
    """Mean of the F1 of all classes from `first` on, each by its true pixels: (...)."""
    true = _totals(counts.pixels)[1][..., first:]
    total = true.sum(axis=-1)
    return np.where(
        total > 0, np.nansum(f1(counts)[..., first:] * true, axis=-1) / np.maximum(total, 1), np.nan
    )


AVERAGES: dict[str, Callable[[Confusion], np.ndarray]] = {
    "f1_micro": lambda counts: micro(counts, 0),
    "f1_weighted": lambda counts: weighted(counts, 0),
    "f1_macro": lambda counts: macro(counts, 0),
    "f1_micro_foreground": lambda counts: micro(counts, 1),
    "f1_weighted_foreground": lambda counts: weighted(counts, 1),
    "f1_macro_foreground": lambda counts: macro(counts, 1),
}


def averages(
    counts: Sequence[Confusion], *, resamples: int = 2000, seed: int = 0
) -> dict[str, float | list[float]]:
    """Score a set of images, pooled and per image, with 95 % intervals over images.

    Parameters
    ----------
    counts : sequence of Confusion
        One for each image.
    resamples, seed
        See `kerasseg.metrics.bootstrap.scores`.

    Returns
    -------
    dict
        The names of `AVERAGES` pooled, the same names with `_per_image` as means over images, and for each an
        `..._interval` of two floats; NaN without truth.

    Raises
    ------
    UserError
        If there is no image.
    """
    found = bootstrap.scores(counts, AVERAGES, resamples=resamples, seed=seed)
    return {name: value.tolist() for name, value in found.items()}


def pooled(counts: Sequence[Confusion]) -> Confusion:
    """Count the pixels of all images together."""
    return Confusion(sum(each.pixels for each in counts))


def _totals(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the pixels of each class that are right, true and predicted: three arrays (..., K + 1)."""
    return np.diagonal(pixels, axis1=-2, axis2=-1), pixels.sum(axis=-1), pixels.sum(axis=-2)
