"""Objects numbered anew, in the order of their first pixels, without the small ones.

What is counted can be counted band by band: `Census` holds two numbers an object, and never an image.
"""

from __future__ import annotations

import numpy as np

from kerasseg.postprocess.runs import runs


class Census:
    """Sizes and first pixels of the objects 0..N, from bands that are looked at from first to last."""

    def __init__(self, count: int) -> None:
        self.sizes = np.zeros(count + 1, np.int64)
        self.first = np.full(count + 1, np.iinfo(np.int64).max)
        self.seen = 0

    def add(self, band: np.ndarray) -> None:
        """Count a band of labels."""
        objects, starts, lengths = runs(band)
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
