"""Probabilities to mask, mask to labels. Every function takes images and volumes alike."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import measure

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
    if activation == "softmax":
        return probabilities.argmax(axis=-1).astype(np.uint8)
    return _strongest(probabilities, threshold)


def _strongest(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    found = (probabilities.max(axis=-1) >= threshold).astype(np.uint8)
    if probabilities.shape[-1] > 1:
        found *= probabilities.argmax(axis=-1).astype(np.uint8) + np.uint8(1)
    return found


def labels(mask: np.ndarray, *, smallest: int = 0, fill: bool = False, diagonal: bool = False) -> np.ndarray:
    """Number the objects of a mask: its connected components, class by class.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    smallest : int
        Objects of fewer pixels are dropped, holes filled first.
    fill : bool
        Whether holes within an object become part of it.
    diagonal : bool
        Whether pixels that touch only at a corner are connected.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape: 0 for background, 1..N in the order of the first pixels.
    """
    foreground = np.where(mask == IGNORE, 0, mask)
    numbered = measure.label(foreground, connectivity=mask.ndim if diagonal else 1).astype(np.int32)
    if fill:
        numbered = fill_holes(numbered)
    return remove_small(numbered, smallest)


def remove_small(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Drop objects of fewer than `smallest` pixels and number the rest 1..N in their old order.

    Parameters
    ----------
    labels : np.ndarray
        int32, one id an object, 0 for background.
    smallest : int
        The least size that is kept.

    Returns
    -------
    np.ndarray
        int32 of the same shape.
    """
    sizes = np.bincount(labels.ravel(), minlength=1)
    kept = sizes >= max(smallest, 1)
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels]


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Give the background that an object encloses to that object; objects within it stay.

    Parameters
    ----------
    labels : np.ndarray
        int32, one id an object, 0 for background.

    Returns
    -------
    np.ndarray
        int32 of the same shape, a copy.
    """
    filled = labels.copy()
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            holes = ndimage.binary_fill_holes(labels[box] == number) & (labels[box] == 0)
            filled[box][holes] = number
    return filled
