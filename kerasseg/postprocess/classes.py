"""Probabilities to mask: which class each pixel is of, or each class where they do not exclude each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.masks import IGNORE, MOST_CLASSES

ACTIVATIONS = ("sigmoid", "softmax")


def mask(
    probabilities: np.ndarray, threshold: float = 0.5, activation: str = "sigmoid", exclusive: bool = True
) -> np.ndarray:
    """Decide a class for each pixel, or each class for itself.

    Parameters
    ----------
    probabilities : np.ndarray
        (..., K) float. With `"sigmoid"` channel k is class k + 1; with `"softmax"` channel 0 is background.
    threshold : float
        Sigmoid only: a pixel whose highest probability is below it is background.
    activation : {"sigmoid", "softmax"}
        What the model's head ends with.
    exclusive : bool
        Whether a pixel is of one class at most. Otherwise each class, which is a sigmoid's, is decided by the
        threshold alone.

    Returns
    -------
    np.ndarray
        (...) uint8 class ids, 0 for background; or (..., K) uint8 of 0 and 1, where classes do not exclude
        each other. 255, which means ignore, never occurs.

    Raises
    ------
    UserError
        If the activation is unknown, or excludes what need not, or the classes do not fit into ids 1 to 254.
    """
    if activation not in ACTIVATIONS:
        raise UserError(unknown("activation", activation, ACTIVATIONS))
    if probabilities.shape[-1] > MOST_CLASSES:
        raise UserError(
            f"{probabilities.shape[-1]} channels were given; class ids reach {MOST_CLASSES}, "
            f"{IGNORE} means ignore"
        )
    if not exclusive:
        if activation == "softmax":
            raise UserError("a softmax's classes exclude each other; give the model a head of sigmoids")
        return (probabilities >= threshold).astype(np.uint8)
    channel, highest = _strongest(probabilities)
    return channel if activation == "softmax" else (channel + np.uint8(1)) * (highest >= threshold)


def numbered(
    mask: np.ndarray, number: Callable[[np.ndarray], np.ndarray], exclusive: bool = True
) -> np.ndarray:
    """Number a mask's objects: all together, or class by class where classes do not exclude each other.

    Parameters
    ----------
    mask : np.ndarray
        As `layers` takes it.
    number : callable
        From a mask to labels, such as `kerasseg.postprocess.labels`.
    exclusive : bool
        Whether a pixel is of one class at most.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape; in (..., K) the objects of each class are 1..N.
    """
    if exclusive:
        return number(mask)
    return np.stack([number(mask[..., k]) for k in range(mask.shape[-1])], axis=-1)


def _strongest(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the first of the highest channels and its value; `argmax` is slow along a short last axis."""
    channel, highest = np.zeros(probabilities.shape[:-1], np.uint8), probabilities[..., 0]
    for other in range(1, probabilities.shape[-1]):
        np.copyto(channel, other, where=probabilities[..., other] > highest)
        highest = np.maximum(highest, probabilities[..., other])
    return channel, highest


def layers(mask: np.ndarray, classes: int, exclusive: bool = True) -> list[np.ndarray]:
    """Take the classes of a mask apart.

    Parameters
    ----------
    mask : np.ndarray
        (...) uint8 class ids, or (..., K) uint8 of 0 and 1 where classes do not exclude each other; 255 is
        ignore.
    classes : int
        K.
    exclusive : bool
        Which of the two it is.

    Returns
    -------
    list of np.ndarray
        For each class (...) uint8: 0, 1, or 255 where the pixel is ignored.
    """
    if not exclusive:
        return [mask[..., k] for k in range(classes)]
    ignored = mask == IGNORE
    return [np.where(ignored, mask, mask == k).astype(np.uint8) for k in range(1, classes + 1)]
