"""Objects numbered anew in the order of their first pixels, without the small ones, and their classes.

What is counted can be counted band by band, so that no image needs to be in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Census:
    """Sizes and first pixels of the objects 0..N, from bands that are looked at from first to last."""

    def __init__(self, count: int) -> None:
        self.sizes = np.zeros(count + 1, np.int64)
        self.first = np.full(count + 1, np.iinfo(np.int64).max)
        self.seen = 0

    def add(self, band: np.ndarray) -> None:
        """Count a band of labels."""
        flat = band.ravel()
        starts = np.flatnonzero(np.concatenate([[flat.size > 0], flat[1:] != flat[:-1]]))  # of runs of one id
        np.add.at(self.sizes, flat[starts], np.diff(starts, append=flat.size))
        np.minimum.at(self.first, flat[starts], starts + self.seen)
        self.seen += flat.size

    def numbers(self, smallest: int) -> np.ndarray:
        """Give the table from old numbers to new: (N + 1,) int32, 0 for what is small or not there."""
        kept = self.sizes >= max(smallest, 1)
        kept[0] = False
        ids = np.flatnonzero(kept)
        table = np.zeros(len(kept), np.int32)
        table[ids[np.argsort(self.first[ids])]] = np.arange(1, len(ids) + 1)
        return table


def renumber(labels: np.ndarray, count: int, smallest: int) -> np.ndarray:
    """Number the objects of labels 1..N by their first pixels.

    Parameters
    ----------
    labels : np.ndarray
        int32, one id an object, 0 for background.
    count : int
        The highest id.
    smallest : int
        Objects of fewer pixels are dropped.

    Returns
    -------
    np.ndarray
        int32 of the same shape.
    """
    census = Census(count)
    census.add(labels)
    return census.numbers(smallest)[labels]


def object_classes(bands: Iterable[tuple[np.ndarray, np.ndarray]], objects: int, classes: int) -> np.ndarray:
    """Find the class of each object: that of most of its pixels, and the first of several.

    An object may have pixels of another class or of none, which came to it as its holes were filled or its
    edges grew.

    Parameters
    ----------
    bands : iterable of tuple of numpy.ndarray
        Labels 0..N and mask, of one shape (...); either the whole or its bands. In the mask ids beyond the
        classes, such as 255 (ignore), do not count.
    objects : int
        N, the highest number.
    classes : int
        K.

    Returns
    -------
    numpy.ndarray, shape (N + 1,), int
        From a number to its class 1..K; an object without any pixel of a class is of the first.
    """
    pixels = np.zeros((objects + 1) * (classes + 1), np.int64)
    for labels, mask in bands:
        inside = labels > 0
        class_ids = mask[inside]
        pairs = labels[inside].astype(np.int64) * (classes + 1) + np.where(class_ids > classes, 0, class_ids)
        first = pairs.min(initial=pixels.size)  # numbers of one band lie close to each other
        counts = np.bincount(pairs - first)
        pixels[first : first + len(counts)] += counts
    return pixels.reshape(-1, classes + 1)[:, 1:].argmax(axis=1) + 1
