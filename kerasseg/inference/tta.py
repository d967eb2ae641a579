"""Test-time augmentation: ask about tiles mirrored and turned as well, and average the answers.

A cell seen from behind is the same cell, yet a model's answers differ a little. Their mean is better than
any of them, at the price of as many answers as there are symmetries.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.inference.forward import Forward

SYMMETRIES = ("none", "flips", "d4")


@dataclass(frozen=True)
class Symmetry:
    """Mirror some axes of a batch, then swap its rows and columns or not."""

    flipped: tuple[int, ...]
    swapped: bool

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Give a view of `(B, ..., Y, X, C)`."""
        mirrored = np.flip(batch, self.flipped)
        return mirrored.swapaxes(-3, -2) if self.swapped else mirrored

    def undo(self, batch: np.ndarray) -> np.ndarray:
        """Give a view of what was mirrored and swapped as it was before."""
        return np.flip(batch.swapaxes(-3, -2) if self.swapped else batch, self.flipped)


def symmetries(rank: int, which: str) -> Iterator[Symmetry]:
    """Yield each way to look at a tile, the plain one first.

    Parameters
    ----------
    rank : int
        Spatial axes, 2 or 3.
    which : {"none", "flips", "d4"}
        ``flips`` mirrors every axis or not: 4 ways, 8 for volumes. ``d4`` swaps rows and columns besides,
        which makes all turns by 90 degrees within a plane: 8 ways, 16 for volumes.
    """
    turns = (False, True) if which == "d4" else (False,)
    flips = [()] if which == "none" else itertools.product(*((None, axis) for axis in range(1, rank + 1)))
    for flipped, swapped in itertools.product(flips, turns):
        yield Symmetry(tuple(axis for axis in flipped if axis is not None), swapped)


def averaged(forward: Forward, which: str) -> Forward:
    """Make a function that answers with the mean over symmetries.

    Parameters
    ----------
    forward : callable
        From a batch (B, ..., C) float32 to (B, ..., K); ``d4`` swaps the axes Y and X of some batches.
    which : {"none", "flips", "d4"}
        See `symmetries`.

    Returns
    -------
    callable
        `forward` itself where nothing is to be averaged.

    Raises
    ------
    UserError
        If there is no such set of symmetries.
    """
    if which not in SYMMETRIES:
        raise UserError(unknown("tta", which, SYMMETRIES))

    def answer(batch: np.ndarray) -> np.ndarray:
        ways = list(symmetries(batch.ndim - 2, which))
        total = sum(way.undo(np.asarray(forward(np.ascontiguousarray(way.apply(batch))))) for way in ways)
        return total / np.float32(len(ways))

    return forward if which == "none" else answer
