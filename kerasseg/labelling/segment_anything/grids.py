"""Where Segment Anything is asked: crops of the image, and a grid of points in each.

Formulas are those of the original (facebookresearch/segment-anything, `utils/amg.py`, Apache-2.0). Boxes here
are x0, y0, x1, y1.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

NEAR = 20.0  # pixels from the edge of a crop at which an object counts as cut; the original's


class Crop(NamedTuple):
    """A part of the image: its box, x1 and y1 being the first beyond it, and its layer, 0 the whole image."""

    box: tuple[int, int, int, int]
    layer: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0


def point_grid(points_per_side: int) -> np.ndarray:
    """Spread points evenly over the unit square, half a step away from its sides.

    Returns
    -------
    numpy.ndarray, shape (points_per_side ** 2, 2), float64
        x and y in [0, 1], row by row.
    """
    offset = 1 / (2 * points_per_side)
    along = np.linspace(offset, 1 - offset, points_per_side)
    return np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)


def points_in(crop: Crop, points_per_side: int, downscale_factor: int) -> np.ndarray:
    """Lay the grid of a crop's layer over it.

    Parameters
    ----------
    crop : Crop
    points_per_side : int
        Of the whole image.
    downscale_factor : int
        By which a layer has fewer points along a side than the layer before.

    Returns
    -------
    numpy.ndarray, shape (N, 2), float64
        x and y in pixels of the crop.
    """
    height, width = crop.size
    return point_grid(int(points_per_side / downscale_factor**crop.layer)) * (width, height)


def crops(size: tuple[int, int], layers: int, overlap_ratio: float) -> list[Crop]:
    """Cut an image into crops: the whole, then 2 x 2, 4 x 4, ... that overlap.

    Parameters
    ----------
    size : tuple of int
        Height and width of the image.
    layers : int
        How many layers of crops follow the whole image.
    overlap_ratio : float
        By which part of the image's shorter side the crops of the first layer overlap; those of the next ones
        by half as much each.

    Returns
    -------
    list of Crop
        Layer by layer, column by column.
    """
    height, width = size
    cut = [Crop((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / count))
        spans = (_spans(length, count, overlap) for length in (width, height))
        cut += [Crop((x0, y0, x1, y1), layer) for (x0, x1), (y0, y1) in itertools.product(*spans)]
    return cut


def _spans(length: int, count: int, overlap: int) -> list[tuple[int, int]]:
    """Divide an axis into so many parts: where each begins and ends."""
    part = math.ceil((overlap * (count - 1) + length) / count)
    starts = [(part - overlap) * number for number in range(count)]
    return [(start, min(start + part, length)) for start in starts]


def near_edge(box: np.ndarray, crop: Crop, size: tuple[int, int], near: float = NEAR) -> bool:
    """Tell whether an object comes near a side of its crop that is not a side of the image.

    Parameters
    ----------
    box : numpy.ndarray, shape (4,)
        Of the object, in pixels of the image.
    crop : Crop
        At which the network looked.
    size : tuple of int
        Height and width of the image.
    near : float
        Pixels.
    """
    height, width = size
    at_crop = np.abs(np.subtract(box, crop.box)) <= near
    at_image = np.abs(np.subtract(box, (0, 0, width, height))) <= near
    return bool((at_crop & ~at_image).any())
