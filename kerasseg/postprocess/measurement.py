"""What can be measured of objects whose labels arrive band by band: sizes, boxes and centres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kerasseg.postprocess.components import Box
from kerasseg.postprocess.numbering import find_runs


class Measured(NamedTuple):
    """What was measured of the objects 1..N."""

    sizes: np.ndarray  # (N,) int64 pixels
    starts: np.ndarray  # (N, axes) int64: the first pixel of the bounding box
    stops: np.ndarray  # (N, axes) int64: the first pixel behind it
    centres: np.ndarray  # (N, axes) float64: centres of mass in pixels, NaN of what is not there


class Measurements:
    """Sizes, bounding boxes and centres of the objects 1..N, from bands that are looked at first to last.

    Parameters
    ----------
    count : int
        N.
    axes : int
        2 or 3.
    """

    def __init__(self, count: int, axes: int) -> None:
        self._sizes = np.zeros(count + 1, np.int64)
        self._sums = np.zeros((axes, count + 1), np.int64)
        self._low = np.full((axes, count + 1), np.iinfo(np.int64).max)
        self._high = np.zeros((axes, count + 1), np.int64)
        self._rows = 0

    def add(self, band: np.ndarray) -> None:
        """Measure the next band of labels: (rows, X) or (planes, Y, X) int32."""
        objects, starts, lengths = find_runs(band)
        first = np.array(np.unravel_index(starts, band.shape))
        first[0] += self._rows
        last = first.copy()
        last[-1] += lengths - 1
        np.add.at(self._sizes, objects, lengths)
        for axis in range(band.ndim):
            np.minimum.at(self._low[axis], objects, first[axis])
            np.maximum.at(self._high[axis], objects, last[axis] + 1)
            np.add.at(self._sums[axis], objects, (first[axis] + last[axis]) * lengths)  # twice the sum
        self._rows += len(band)

    def measured(self) -> Measured:
        """Give what all bands together say."""
        sizes = self._sizes[1:]
        with np.errstate(invalid="ignore"):
            centres = self._sums[:, 1:] / sizes / 2
        return Measured(sizes, self._low[:, 1:].T, self._high[:, 1:].T, centres.T)

    def boxes(self) -> list[Box | None]:
        """Give each object's bounding box as slices; None of what is not there."""
        found = self.measured()
        sides = zip(found.sizes, found.starts.tolist(), found.stops.tolist(), strict=True)
        return [tuple(map(slice, start, stop)) if size else None for size, start, stop in sides]
