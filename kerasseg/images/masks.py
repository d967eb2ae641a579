"""What the numbers in a mask mean, how probabilities become one, and masks of two forms.

Where classes exclude each other a mask holds a class per pixel, ``(...)`` uint8: 0 is background, 1 to 254
are the classes, and 255 is ignored. Where a pixel may be of several classes, it has a last axis of K, in
which channel k is 0, 1 or 255 (ignored) for class k + 1: a class may then be ignored where others are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasseg.errors import UserError

BACKGROUND = 0
IGNORE = 255
"""Of pixels that nothing is learnt from and no score counts: in masks, and in all channels of targets."""


def decide(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """Decide one class for each pixel: that of the highest probability, or background.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (..., K), float
        Channel k is class k + 1; of a softmax, channel k is class k and channel 0 the background.
    threshold : float or None
        A pixel whose highest probability is below it is background. None for a softmax, which needs none.

    Returns
    -------
    numpy.ndarray, shape (...), uint8
        Class ids; never 255, which means ignored.
    """
    channel = np.zeros(probabilities.shape[:-1], np.uint8)
    highest = probabilities[..., 0]
    for other in range(1, probabilities.shape[-1]):  # `argmax` is slow along a short last axis
        np.copyto(channel, other, where=probabilities[..., other] > highest)
        highest = np.maximum(highest, probabilities[..., other])
    return channel if threshold is None else (channel + np.uint8(1)) * (highest >= threshold)


def decide_each(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Decide each class by itself: (..., K) float to (..., K) uint8, 1 from the threshold on and else 0."""
    return (probabilities >= threshold).astype(np.uint8)


def one_hot(masks: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Turn class ids into a channel for each class.

    Parameters
    ----------
    masks : numpy.ndarray, shape (...), uint8
        Class ids, 255 is ignored.
    ids : sequence of int
        The class of each channel.

    Returns
    -------
    numpy.ndarray, shape (..., K), uint8
        1 where a pixel is of the channel's class, 255 in all channels where it is ignored.
    """
    ignored = masks == IGNORE
    channels = np.empty((*masks.shape, len(ids)), np.uint8)
    for channel, class_id in enumerate(ids):  # four times as fast as all at once
        channels[..., channel] = masks == class_id
        channels[..., channel][ignored] = IGNORE
    return channels


def split_classes(mask: np.ndarray, classes: int, multilabel: bool) -> list[np.ndarray]:
    """Take the classes of a mask apart.

    Parameters
    ----------
    mask : numpy.ndarray, shape (...) or, with `multilabel`, (..., K), uint8
    classes : int
        K.
    multilabel : bool
        Whether a pixel may be of several classes.

    Returns
    -------
    list of numpy.ndarray
        For each class (...) uint8: 0, 1, or 255 where the pixel is ignored.
    """
    channels = mask if multilabel else one_hot(mask, range(1, classes + 1))
    return [channels[..., k] for k in range(classes)]


def merge_classes(mask: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Turn a channel per class into a class per pixel.

    Parameters
    ----------
    mask : numpy.ndarray, shape (..., K), uint8
        0, 1 or 255 (ignored).
    classes : sequence of str
        Names of the K classes.

    Returns
    -------
    numpy.ndarray, shape (...), uint8
        Class ids; 255 where any class is ignored and none is there.

    Raises
    ------
    UserError
        If a pixel is of several classes: whichever was kept, the scores would be of another truth than the
        one that was annotated.
    """
    present = mask == 1
    several = np.count_nonzero(present, axis=-1) > 1
    if several.any():
        overlapping = present[several].any(axis=0)
        involved = [name for name, there in zip(classes, overlapping, strict=True) if there]
        raise UserError(
            f"{np.count_nonzero(several)} pixels are of more than one of the classes {', '.join(involved)}, "
            "and data.multilabel is false: set it to true, so that each class is decided by itself"
        )
    ids = np.zeros(mask.shape[:-1], np.uint8)
    ids[(mask == IGNORE).any(axis=-1)] = IGNORE
    for channel in range(len(classes)):
        ids[present[..., channel]] = channel + 1
    return ids
