"""Dice as Keras shows it while it trains: counts gathered over a whole epoch, then one score."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseg.images.masks import IGNORE

Tensor = Any


def counts(
    y_true: Tensor, y_pred: Tensor, threshold: float, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Count, for each foreground class, twice the true positives, and the pixels marked or predicted.

    Parameters
    ----------
    y_true : tensor (B, ..., K)
        0, 1, or 255 where a pixel is to be ignored.
    y_pred : tensor (B, ..., K)
        Probabilities in [0, 1].
    threshold : float
        A sigmoid's probability from which a pixel is predicted; a softmax predicts its largest class.
    activation : {"sigmoid", "softmax"}
        The head's: with softmax channel 0 is the background and is not counted.

    Returns
    -------
    twice, area, marked : tensors (classes,)
        int64; Dice is the ratio of the first two, and without marked pixels there is none.
    """
    y_true = ops.cast(y_true, "int32")
    if activation == "softmax":
        largest = ops.argmax(y_pred, axis=-1)
        predicted = ops.equal(largest[..., None], ops.arange(1, y_pred.shape[-1], dtype=largest.dtype))
        y_true = y_true[..., 1:]
    else:
        predicted = y_pred >= threshold
    predicted = ops.logical_and(predicted, y_true < IGNORE)
    marked = ops.equal(y_true, 1)
    true = _total(marked)
    return 2 * _total(ops.logical_and(marked, predicted)), true + _total(predicted), true


class Dice(keras.metrics.Metric):
    """Dice from the pixels of a whole epoch, averaged over foreground classes.

    Classes without a marked pixel so far are left out, as in `kerasseg.metrics.pixel`; without any it is 0,
    since what watches a training takes NaN for its end. Counts are integers: float32 stops counting at 16
    million pixels.

    Parameters
    ----------
    outputs : int
        K, the probabilities of a pixel; channels after them are not counted.
    threshold : float
        As for `counts`.
    activation : {"sigmoid", "softmax"}
        As for `counts`.
    name : str
        What the history calls it.
    """

    def __init__(
        self, outputs: int, threshold: float = 0.5, activation: str = "sigmoid", name: str = "dice"
    ) -> None:
        super().__init__(name=name)
        classes = outputs - (activation == "softmax")
        self.outputs, self.threshold, self.activation = outputs, threshold, activation
        self.twice = self.add_weight((classes,), "zeros", dtype="int64", name="twice")
        self.area = self.add_weight((classes,), "zeros", dtype="int64", name="area")
        self.marked = self.add_weight((classes,), "zeros", dtype="int64", name="marked")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add a batch's counts; every image weighs what its pixels weigh, so `sample_weight` is not used."""
        y_true, y_pred = y_true[..., : self.outputs], y_pred[..., : self.outputs]
        twice, area, marked = counts(y_true, y_pred, self.threshold, self.activation)
        self.twice.assign_add(twice)
        self.area.assign_add(area)
        self.marked.assign_add(marked)

    def result(self) -> Tensor:
        """The score so far, a float32 scalar."""
        known = ops.cast(self.marked > 0, "float32")
        each = ops.cast(self.twice, "float32") / ops.maximum(ops.cast(self.area, "float32"), 1.0)
        return ops.sum(known * each) / ops.maximum(ops.sum(known), 1.0)


def _total(chosen: Tensor) -> Tensor:
    return ops.sum(ops.cast(chosen, "int64"), axis=tuple(range(len(chosen.shape) - 1)))
