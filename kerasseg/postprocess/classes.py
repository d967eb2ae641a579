"""Probabilities to mask: which class each pixel is of."""

from __future__ import annotations

import numpy as np

from kerasseg.classes import IGNORE, MOST_CLASSES
from kerasseg.errors import UserError, unknown

ACTIVATIONS = ("sigmoid", "softmax")


def mask(probabilities: np.ndarray, threshold: float = 0.5, activation: str = "sigmoid") -> np.ndarray:
    """Decide a class for each pixel.

    Parameters
    ----------
    probabilities : np.ndarray
        (..., K) float. With `"sigmoid"` channel k is class k + 1; with `"softmax"` channel 0 is background.
    threshold : float
        Sigmoid only: a pixel whose highest probability is below it is background.
    activation : {"sigmoid", "softmax"}
        What the model's head ends with.

    Returns
    -------
    np.ndarray
        (...) uint8 class ids, 0 for background; 255, which means ignore, never occurs.

    Raises
    ------
    UserError
        If the activation is unknown or the classes do not fit into ids 1 to 254.
    """
    if activation not in ACTIVATIONS:
        raise UserError(unknown("activation", activation, ACTIVATIONS))
    if probabilities.shape[-1] > MOST_CLASSES:
        raise UserError(
            f"{probabilities.shape[-1]} channels were given; class ids reach {MOST_CLASSES}, "
            f"{IGNORE} means ignore"
        )
    channel, highest = _strongest(probabilities)
    return channel if activation == "softmax" else (channel + np.uint8(1)) * (highest >= threshold)


def _strongest(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the first of the highest channels and its value; `argmax` is slow along a short last axis."""
    channel, highest = np.zeros(probabilities.shape[:-1], np.uint8), probabilities[..., 0]
    for other in range(1, probabilities.shape[-1]):
        np.copyto(channel, other, where=probabilities[..., other] > highest)
        highest = np.maximum(highest, probabilities[..., other])
    return channel, highest
