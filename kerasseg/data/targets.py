"""Masks of two forms, and the targets that a model learns: a class per pixel, or a channel per class.

Where classes exclude each other a mask holds a class per pixel, ``(Y, X)`` or ``(Z, Y, X)``: 0 is background
and 255 is ignore. Where they do not, it has a last axis of K, in which channel k is 0, 1 or 255 (ignore) for
class k + 1: a class may then be ignored where others are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasseg.errors import UserError
from kerasseg.masks import IGNORE


def one_hot(masks: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Turn class ids into targets.

    Parameters
    ----------
    masks : numpy.ndarray, shape (...), uint8
        Class ids, 255 is ignore.
    ids : sequence of int
        The class of each channel.

    Returns
    -------
    numpy.ndarray, shape (..., K), uint8
        1 where a pixel is of the channel's class, 255 in all channels where it is ignored.
    """
    targets, ignored = np.empty((*masks.shape, len(ids)), np.uint8), masks == IGNORE
    for channel, number in enumerate(ids):  # four times as fast as all at once
        targets[..., channel] = masks == number
        targets[..., channel][ignored] = IGNORE
    return targets


def class_ids(mask: np.ndarray, classes: Sequence[str], name: str) -> np.ndarray:
    """Turn a channel per class into a class per pixel.

    Parameters
    ----------
    mask : numpy.ndarray, shape (..., K), uint8
        0, 1 or 255 (ignore).
    classes : sequence of str
        Names of the K classes.
    name : str
        The sample, for the message.

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
    present, ids = mask == 1, np.zeros(mask.shape[:-1], np.uint8)
    several = np.count_nonzero(present, axis=-1) > 1
    if several.any():
        raise UserError(_overlap(present[several], classes, name))
    ids[(mask == IGNORE).any(axis=-1)] = IGNORE
    for number in range(len(classes)):
        ids[present[..., number]] = number + 1
    return ids


def _overlap(present: np.ndarray, classes: Sequence[str], name: str) -> str:
    involved = [of for of, there in zip(classes, present.any(axis=0), strict=True) if there]
    return (
        f"{name}: {len(present)} pixels are of more than one of the classes {', '.join(involved)}, and "
        "data.exclusive is true: set it to false, so that each class is decided by itself"
    )
