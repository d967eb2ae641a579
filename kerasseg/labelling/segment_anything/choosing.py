"""Which of the objects that were found are wanted, and all of them as one image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kerasseg.labelling.segment_anything.found import Found


def chosen(
    found: Iterable[Found],
    *,
    smallest: int = 0,
    largest: float = 1.0,
    stability: float = 0.0,
    predicted_iou: float = 0.0,
) -> list[Found]:
    """Leave out what is too small, too large, or not good enough.

    Parameters
    ----------
    found : iterable of Found
        Of one image or tile.
    smallest : int
        Pixels that an object has at least.
    largest : float
        Share of the image that an object covers at most: what covers nearly all is background.
    stability, predicted_iou : float
        That an object has at least.
    """
    return [
        one
        for one in found
        if smallest <= one.area <= largest * one.size[0] * one.size[1]
        and one.stability_score >= stability
        and one.predicted_iou >= predicted_iou
    ]


def larger_first(found: Iterable[Found]) -> list[Found]:
    """Order objects so that smaller ones, which may be parts of larger ones, lie on top."""
    return sorted(found, key=lambda one: -one.area)


def merged_mask(found: Iterable[Found], shape: tuple[int, int]) -> np.ndarray:
    """Draw all objects of an image of height and width `shape`: (Y, X) uint8, 1 where there is any."""
    mask = np.zeros(shape, np.uint8)
    for one in found:
        mask.ravel()[one.pixels] = 1
    return mask


def merged_labels(found: Iterable[Found], shape: tuple[int, int]) -> np.ndarray:
    """Draw all objects apart, larger ones first, so that smaller ones lie on top.

    Parameters
    ----------
    found : iterable of Found
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32
        1, 2, ... from the largest to the smallest; an object that others cover has no pixel.
    """
    labels = np.zeros(shape, np.int32)
    for number, one in enumerate(larger_first(found), start=1):
        labels.ravel()[one.pixels] = number
    return labels
