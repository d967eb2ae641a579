"""The geometry of automatic masks: crops, points, boxes, and regions too small to be meant.

Formulas are those of the original (facebookresearch/segment-anything, `utils/amg.py`, Apache-2.0). A box is
x0, y0, x1, y1: of a crop x1 and y1 are the first beyond it, of a mask its last pixel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

NEAR = 20.0  # pixels from the edge of a crop at which an object counts as cut off; the original's


class Crop(NamedTuple):
    """A part of the image: its box, and its layer, where 0 is the whole image."""

    box: tuple[int, int, int, int]
    layer: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0


def points_in(crop: Crop, points_per_side: int, downscale_factor: int) -> np.ndarray:
    """Spread points evenly over a crop, half a step away from its sides.

    Parameters
    ----------
    crop : Crop
    points_per_side : int
        Points along each side of the whole image.
    downscale_factor : int
        How many times fewer points along a side a layer has than the layer before.

    Returns
    -------
    numpy.ndarray, shape (N, 2), float64
        x and y in pixels of the crop, row by row.
    """
    count = int(points_per_side / downscale_factor**crop.layer)
    offset = 1 / (2 * count)
    places = np.linspace(offset, 1 - offset, count)
    height, width = crop.size
    return np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2) * (width, height)


def crops(size: tuple[int, int], layers: int, overlap_ratio: float) -> list[Crop]:
    """Cut an image into crops: the whole, then 2 x 2, 4 x 4, ... that overlap.

    Parameters
    ----------
    size : tuple of int
        Height and width of the image.
    layers : int
        How many layers of crops follow the whole image.
    overlap_ratio : float
        The part of the image's shorter side by which the crops of the first layer overlap; in each further
        layer it is half as much.

    Returns
    -------
    list of Crop
        Layer by layer, column by column.
    """
    height, width = size
    boxes = [Crop((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / count))
        columns, rows = _spans(width, count, overlap), _spans(height, count, overlap)
        boxes += [Crop((x0, y0, x1, y1), layer) for (x0, x1), (y0, y1) in itertools.product(columns, rows)]
    return boxes


def _spans(length: int, count: int, overlap: int) -> list[tuple[int, int]]:
    """Divide an axis into overlapping parts: where each begins and ends."""
    part = math.ceil((overlap * (count - 1) + length) / count)
    starts = [(part - overlap) * number for number in range(count)]
    return [(start, min(start + part, length)) for start in starts]


def is_near_edge(box: Sequence[int], crop: Crop, size: tuple[int, int]) -> bool:
    """Tell whether an object comes near a side of its crop that is not a side of the image.

    Parameters
    ----------
    box : sequence of int
        Box of the object, in pixels of the image.
    crop : Crop
        The part of the image at which the network looked.
    size : tuple of int
        Height and width of the image.
    """
    height, width = size
    near_crop = np.abs(np.subtract(box, crop.box)) <= NEAR
    near_image = np.abs(np.subtract(box, (0, 0, width, height))) <= NEAR
    return bool((near_crop & ~near_image).any())


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of a box with others.

    Parameters
    ----------
    box : numpy.ndarray, shape (4,)
    boxes : numpy.ndarray, shape (N, 4)

    Returns
    -------
    numpy.ndarray, shape (N,), float64
        In [0, 1]; 0 for boxes without area, such as those of lines of one pixel.
    """
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common
    return common / np.maximum(union, np.finfo(float).tiny)


def suppress(boxes: np.ndarray, scores: Sequence[float], threshold: float) -> list[int]:
    """Suppress all but the best of those that are the same by their boxes, as `torchvision.ops.nms` does.

    Parameters
    ----------
    boxes : numpy.ndarray, shape (N, 4)
    scores : sequence of float
        Which of two is better; the first one if they are equal.
    threshold : float
        Two are the same where their intersection over union is above this.

    Returns
    -------
    list of int
        Places of those that are kept, the best first.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    left = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[box_iou(boxes[best], boxes[left]) <= threshold]
    return kept


def without_small_regions(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Fill holes and then remove islands that are too small to be meant.

    Parts are connected by sides and corners; of a mask that has only small parts the largest stays.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X), bool
        With at least one pixel.
    smallest : int
        Pixels that a part has at least.

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool
        The very mask where there is nothing to do.
    """
    return without_islands(without_holes(mask, smallest), smallest)


def without_holes(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Fill the parts of the background that have fewer pixels; see :func:`without_small_regions`."""
    parts, areas = _parts(~mask)
    small = areas < smallest
    return mask | np.append(False, small)[parts] if small.any() else mask


def without_islands(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Remove the parts that have fewer pixels; see :func:`without_small_regions`."""
    parts, areas = _parts(mask)
    large = areas >= smallest
    if large.all():
        return mask
    large[np.argmax(areas)] = True
    return np.append(False, large)[parts]


def _parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the connected parts from 1: (Y, X) int32, and their areas."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return parts, statistics[1:, cv2.CC_STAT_AREA]
