"""What points are to make: an image of any size between black and white, read by region."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kerasseg.compact.kernels import UNIT
from kerasseg.compact.keypoints import Base
from kerasseg.compact.rebuilding import enlarge
from kerasseg.images import statistics
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store

BAND = 256  # rows that are looked at in one go


@dataclass(frozen=True, eq=False)
class Field:
    """What is to be made of points: the image between black 0 and white 1, or what a base leaves of it.

    Attributes
    ----------
    image : numpy.ndarray or Store
        (..., Y, X, C) uint8 or uint16, read by region.
    low, high : numpy.ndarray
        (C,) what is black and what is white.
    base : Base, optional
        What is taken off the image; then black is where they agree.
    """

    image: np.ndarray | Store
    low: np.ndarray
    high: np.ndarray
    base: Base | None = None

    @classmethod
    def of(cls, image: np.ndarray | Store) -> Field:
        """Take an image's least values for black, and its greatest for white."""
        low, high = statistics.extremes(cls(image, np.zeros(1), np.ones(1)).bands)
        return cls(image, low.astype(np.float64), high.astype(np.float64))

    @property
    def grid(self) -> tuple[int, ...]:
        """The image's shape without C."""
        return self.image.shape[:-1]

    @property
    def span(self) -> np.ndarray:
        """White minus black, at least 1: (C,)."""
        return np.maximum(self.high - self.low, 1)

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Go through the planes in C order."""
        return itertools.product(*map(range, self.grid[:-2]))

    def read(self, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
        """Read a rectangle of a plane as stored: (Y, X, C)."""
        pixels = self.image[(*(slice(index, index + 1) for index in plane), rows, columns)]
        return pixels.reshape(pixels.shape[-3:])

    def bands(self) -> Iterator[np.ndarray]:
        """Read the image as stored, a band of rows of a plane after another: (Y, X, C) each."""
        height, width = self.grid[-2:]
        for plane, rows in itertools.product(self.planes(), cuts(height, BAND)):
            yield self.read(plane, rows, slice(0, width))

    def values(self, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
        """Give a rectangle of a plane, (C, Y, X) float64 in multiples of `UNIT`."""
        pixels = np.moveaxis(self.read(plane, rows, columns), -1, 0).astype(np.float64)
        if self.base is None:
            pixels -= self.low[:, None, None]
        else:
            small = np.moveaxis(self.base.pixels[plane].reshape(*self._small, -1), -1, 0)
            pixels -= np.stack([enlarge(each, self.base.factor, rows, columns) for each in small])
        pixels /= self.span[:, None, None] * UNIT
        return np.rint(pixels, out=pixels) * UNIT

    @property
    def _small(self) -> tuple[int, int]:
        return tuple(-(-length // self.base.factor) for length in self.grid[-2:])
