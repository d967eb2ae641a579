"""What can be measured of objects whose labels arrive band by band: sizes, boxes and centres."""

from __future__ import annotations

import numpy as np

from kerasseg.postprocess.components import Box
from kerasseg.postprocess.runs import runs


class Measurements:
    """Sizes, bounding boxes and centres of the objects 1..N, from bands that are looked at first to last.

    Parameters
    ----------
    count : int
        N.
    axes : int
        2 or 3.

    Attributes
    ----------
    sizes : np.ndarray
        (N,) int64 pixels.
    starts, stops : np.ndarray
        (N, axes) int64: the first pixel of the bounding box, and the first behind it.
    centres : np.ndarray
        (N, axes) float64: centres of mass, in pixels from the centre of the first one; NaN of what has none.
    """

    def __init__(self, count: int, axes: int) -> None:
        self._sizes = np.zeros(count + 1, np.int64)
        self._sums = np.zeros((axes, count + 1), np.int64)
        self._low = np.full((axes, count + 1), np.iinfo(np.int64).max)
        self._high = np.zeros((axes, count + 1), np.int64)
        self._rows = 0

    def add(self, band: np.ndarray) -> None:
        """Measure the next band of labels: (rows, X) or (planes, Y, X) int32."""
        objects, starts, lengths = runs(band)
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

    @property
    def sizes(self) -> np.ndarray:
        """See the class."""
        return self._sizes[1:]

    @property
    def starts(self) -> np.ndarray:
        """See the class."""
        return self._low[:, 1:].T

    @property
    def stops(self) -> np.ndarray:
        """See the class."""
        return self._high[:, 1:].T

    @property
    def centres(self) -> np.ndarray:
        """See the class."""
        with np.errstate(invalid="ignore"):
            return (self._sums[:, 1:] / self.sizes / 2).T

    def boxes(self) -> list[Box | None]:
        """Give each object's bounding box as slices; None of what is not there."""
        sides = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        return [
            tuple(map(slice, start, stop)) if size else None
            for (start, stop), size in zip(sides, self.sizes, strict=True)
        ]
