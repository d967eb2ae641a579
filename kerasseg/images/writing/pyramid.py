"""The smaller levels of a huge plane, made row by row when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.images.resize import resize

SMALLEST = 512  # a level that is no larger along its longer side is the last
ROWS = 128  # made at once: each level asks the larger one for twice as many, and none for a whole image


class Plane(Protocol):
    """What can be cut by rows, such as a memory-mapped array (Y, X)."""

    shape: tuple[int, int]
    dtype: np.dtype

    def __getitem__(self, rows: slice) -> np.ndarray: ...


def nearest(rows: np.ndarray) -> np.ndarray:
    """Take one pixel of each 2 x 2, as masks and labels need it: no id is made up."""
    return rows[1::2, 1::2]


def area(rows: np.ndarray) -> np.ndarray:
    """Take the mean of each 2 x 2, as intensities and probabilities need it."""
    height, width = rows.shape
    return resize(rows[..., np.newaxis], (height // 2, width // 2))[..., 0]


SHRINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"nearest": nearest, "area": area}


class Halved:
    """A plane at half its size, rounded up: the last row and column count twice where there is an odd one.

    Parameters
    ----------
    plane : Plane
        The next larger level.
    shrink : callable
        From an even number of rows and columns to half of both.
    """

    def __init__(self, plane: Plane, shrink: Callable[[np.ndarray], np.ndarray]) -> None:
        self._plane, self._shrink = plane, shrink
        self.shape = tuple(-(-length // 2) for length in plane.shape)
        self.dtype = plane.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        return np.concatenate([self._rows(at, min(at + ROWS, stop)) for at in range(start, stop, ROWS)])

    def _rows(self, start: int, stop: int) -> np.ndarray:
        larger = self._plane[2 * start : min(2 * stop, self._plane.shape[0])]
        odd = [(0, length % 2) for length in larger.shape]
        return self._shrink(np.pad(larger, odd, mode="edge") if any(map(any, odd)) else larger)


def levels(plane: Plane, shrink: str) -> list[Plane]:
    """Make the levels of a plane, each half as large as the one before, down to ``SMALLEST``.

    Parameters
    ----------
    plane : Plane
        (Y, X), of any type.
    shrink : {"nearest", "area"}
        How four pixels become one.

    Returns
    -------
    list of Plane
        The plane itself, then smaller ones; nothing of them is computed before rows are asked for.

    Raises
    ------
    UserError
        If `shrink` is unknown.
    """
    if shrink not in SHRINKS:
        raise UserError(unknown("way to shrink", shrink, SHRINKS))
    pyramid = [plane]
    while max(pyramid[-1].shape) > SMALLEST:
        pyramid.append(Halved(pyramid[-1], SHRINKS[shrink]))
    return pyramid
