"""Objects numbered anew in the order of their first pixels, without the small ones, and their classes.

What is counted can be counted band by band, so that no image needs to be in memory; and it is counted by runs
along the last axis, for an object's size, box and centre are sums over a few of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """Stretches of one object along the last axis, in the order of their first pixels: arrays (R,)."""

    objects: np.ndarray  # int32 from 1
    starts: np.ndarray  # int64 index of the first pixel, the axes taken as one
    lengths: np.ndarray  # int64


def find_runs(labels: np.ndarray) -> Runs:
    """Find the runs of all objects.

    Parameters
    ----------
    labels : np.ndarray
        (..., X) int32, one id an object, 0 for background.

    Returns
    -------
    Runs
        A run ends with its row.

    Examples
    --------
    >>> find_runs(np.array([[0, 7, 7], [7, 0, 2]], np.int32))
    Runs(objects=array([7, 7, 2], dtype=int32), starts=array([1, 3, 5]), lengths=array([2, 1, 1]))
    """
    flat = labels.ravel()
    begins = np.ones(labels.shape, bool)
    if flat.size:
        np.not_equal(flat[1:], flat[:-1], out=begins.ravel()[1:])
        begins[..., 0] = True
    starts = np.flatnonzero(begins)
    objects = flat[starts]
    kept = objects > 0
    return Runs(objects[kept], starts[kept], np.diff(starts, append=flat.size)[kept])


class Census:
    """Sizes and first pixels of the objects 0..N, from bands that are looked at from first to last."""

    def __init__(self, count: int) -> None:
        self.sizes = np.zeros(count + 1, np.int64)
        self.first = np.full(count + 1, np.iinfo(np.int64).max)
        self.seen = 0

    def add(self, band: np.ndarray) -> None:
        """Count a band of labels."""
        objects, starts, lengths = find_runs(band)
        np.add.at(self.sizes, objects, lengths)
        np.minimum.at(self.first, objects, starts + self.seen)
        self.seen += band.size

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
