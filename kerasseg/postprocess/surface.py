"""How much surface objects have, from labels that arrive band by band.

Crofton's formula: lines of every direction cross a surface in proportion to its area, and the lines from
pixel to pixel stand for all others. Thirteen directions in a volume (four in an image) are weighted by the
part of the sphere that is nearest to each, whatever the shape of a voxel (Ohser and Muecklich 2000,
Statistical Analysis of Microstructures in Materials Science, chapter 5). Faces of voxels added up would give
half as much again as there is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

# Lines that lie one to a unit, of length in an image and of area in a volume, cross a border twice where they
# meet the body's shadow: in the mean of all directions the perimeter over pi, and a quarter of the surface.
PER_CROSSING = {2: math.pi / 2, 3: 4 / 2}


class Surfaces:
    """Surfaces of the objects 1..N, from bands that are looked at first to last; perimeters in an image.

    What the border of the image cuts is surface too.

    Parameters
    ----------
    count : int
        N.
    spacing : sequence of float
        Size of a pixel along each of the two or three axes.
    """

    def __init__(self, count: int, spacing: Sequence[float]) -> None:
        self._spacing = tuple(spacing)
        self._steps = half_of_directions(len(self._spacing))
        self._crossings = np.zeros((len(self._steps), count + 1), np.int64)
        self._last: np.ndarray | None = None  # row or plane of the band before

    def add(self, band: np.ndarray) -> None:
        """Look at the next band of labels: (rows, X) or (planes, Y, X) int32."""
        above = np.zeros_like(band[:1]) if self._last is None else self._last
        # In the frame a step over the end of a row leads from background to background.
        both = np.pad(np.concatenate([above, band]), [(0, 0)] + [(1, 1)] * (band.ndim - 1))
        flat, strides = both.ravel(), np.array(both.strides) // both.itemsize
        for crossings, step in zip(self._crossings, self._steps, strict=True):
            within = flat if step[0] else flat[strides[0] :]  # steps from above into above were counted
            apart = int(np.dot(step, strides))
            differ = np.flatnonzero(within[apart:] != within[:-apart])
            np.add.at(crossings, within[differ], 1)
            np.add.at(crossings, within[differ + apart], 1)
        self._last = band[-1:].copy()

    def areas(self) -> np.ndarray:
        """Give the surface of each object, after the last band: (N,) float64 in the unit squared."""
        if self._last is not None:
            self.add(np.zeros_like(self._last))
            self._last = None
        lengths = np.linalg.norm(np.array(self._steps) * self._spacing, axis=1)
        per_line = math.prod(self._spacing) / lengths  # the area that a line of a direction stands for
        weights = PER_CROSSING[len(self._spacing)] * direction_weights(self._spacing) * per_line
        return weights @ self._crossings[:, 1:]


def half_of_directions(axes: int) -> list[tuple[int, ...]]:
    """List the steps to the neighbours of a pixel, one of each two that are opposite: 4 or 13."""
    steps = itertools.product((0, 1, -1), repeat=axes)
    return [step for step in steps if step > (0,) * axes]


def direction_weights(spacing: Sequence[float]) -> np.ndarray:
    """Give the part of all directions that is nearest to each of `half_of_directions`: they sum to 1."""
    ways = np.array(half_of_directions(len(spacing)), float) * spacing
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    if len(spacing) == 3:
        from scipy.spatial import SphericalVoronoi  # a tenth of a second that labels do without

        cells = SphericalVoronoi(np.concatenate([ways, -ways]))
        cells.sort_vertices_of_regions()
        return cells.calculate_areas()[: len(ways)] / (2 * math.pi)
    angles = np.arctan2(ways[:, 0], ways[:, 1]) % math.pi
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + math.pi)
    weights = np.empty(len(ways))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2 / math.pi
    return weights
