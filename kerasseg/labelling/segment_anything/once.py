"""What tiles of one image found, each object once.

**An object that a tile cuts is left to the neighbour that sees all of it**: it is dropped where another tile
holds it with room to spare. One that no tile sees whole is joined from its parts, where two tiles agree on
what both of them see.

**What two tiles found is one object where their masks are the same**, not their boxes: boxes of elongated
cells that lie side by side, or of one that bends around another, are alike though the cells are not.
Comparing masks costs little here, as only objects of different tiles that touch are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kerasseg.labelling.segment_anything.found import Box, Found, box_of, runs
from kerasseg.labelling.segment_anything.grids import Crop, near_edge

NEAR = 4.0  # pixels from a tile's side at which an object counts as cut: one of the network's own answer

Seen = tuple[int, Found]  # an object, and which tile saw it


def each_once(
    found: Sequence[Sequence[Found]], tiles: Sequence[Crop], shape: tuple[int, int], same: float
) -> list[Found]:
    """Put the objects of tiles together.

    Parameters
    ----------
    found : sequence of sequence of Found
        For each tile, in pixels of the image.
    tiles : sequence of Crop
    shape : tuple of int
        Height and width of the image.
    same : float
        Intersection over union of their masks above which two objects are one.

    Returns
    -------
    list of Found
        Those that a tile sees whole, tile by tile, of the same ones the one of the highest predicted IoU;
        then those that were joined, with all else as their largest part has it.
    """
    near = _neighbours(tiles)
    whole: list[Seen] = []
    cut: list[Seen] = []
    for at, one in ((at, one) for at, in_tile in enumerate(found) for one in in_tile):
        if not near_edge(one.box, tiles[at], shape, NEAR):
            whole.append((at, one))
        elif not any(_sees_whole(tiles[other], one, shape) for other in near[at]):
            cut.append((at, one))
    return _best(whole, tiles, near, same) + _joined(cut, tiles, near, same)


def mask_iou(one: Found, other: Found) -> float:
    """Measure how much two objects of one image have in common: intersection over union."""
    return _iou(one.pixels, other.pixels) if _meet(one.box, other.box) else 0.0


def _best(
    whole: Sequence[Seen], tiles: Sequence[Crop], near: Sequence[Sequence[int]], same: float
) -> list[Found]:
    kept: list[list[Found]] = [[] for _ in tiles]
    for at, one in sorted(whole, key=lambda seen: -seen[1].predicted_iou):
        rivals = itertools.chain(*(kept[other] for other in near[at] if _meet(one.box, tiles[other].box)))
        if not any(mask_iou(one, rival) > same for rival in rivals):
            kept[at].append(one)
    return list(itertools.chain(*kept))


def _joined(
    cut: Sequence[Seen], tiles: Sequence[Crop], near: Sequence[Sequence[int]], same: float
) -> list[Found]:
    """Join the parts of objects: all that agree with each other, two by two."""
    pairs = [
        (first, second)
        for (first, (at, one)), (second, (to, other)) in itertools.combinations(enumerate(cut), 2)
        if to in near[at]
        and _meet(one.box, other.box)
        and _agreement(one, other, tiles[at], tiles[to]) > same
    ]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(cut), len(cut)))
    count, groups = connected_components(graph, directed=False)
    return [
        _united([cut[at][1] for at in np.flatnonzero(groups == group).tolist()]) for group in range(count)
    ]


def _agreement(one: Found, other: Found, tile: Crop, neighbour: Crop) -> float:
    """Measure how much two objects have in common where both tiles look: intersection over union."""
    left, top = np.maximum(tile.box[:2], neighbour.box[:2])
    right, bottom = np.minimum(tile.box[2:], neighbour.box[2:])
    shared = []
    for pixels in (one.pixels, other.pixels):
        rows, columns = np.divmod(pixels, one.size[1])
        shared.append(pixels[(left <= columns) & (columns < right) & (top <= rows) & (rows < bottom)])
    return _iou(*shared)


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    common = np.intersect1d(one, other, assume_unique=True).size
    return common / max(one.size + other.size - common, 1)


def _united(parts: Sequence[Found]) -> Found:
    largest = max(parts, key=lambda part: part.area)
    if len(parts) == 1:
        return largest
    pixels = np.unique(np.concatenate([part.pixels for part in parts]))
    rows, columns = np.divmod(pixels, largest.size[1])
    segmentation, bbox = runs(rows, columns, largest.size), box_of(rows, columns)
    return replace(largest, segmentation=segmentation, area=pixels.size, bbox=bbox)


def _sees_whole(tile: Crop, one: Found, shape: tuple[int, int]) -> bool:
    """Tell whether an object lies in a tile, and away from those of its sides that are none of the image."""
    x0, y0, x1, y1 = one.box
    left, top, right, bottom = tile.box
    inside = left <= x0 and top <= y0 and x1 < right and y1 < bottom
    return inside and not near_edge(one.box, tile, shape, NEAR)


def _neighbours(tiles: Sequence[Crop]) -> list[list[int]]:
    """Find which other tiles share pixels with each."""
    boxes = np.array([tile.box for tile in tiles])
    x0, y0, x1, y1 = boxes.T
    near = []
    for at, (left, top, right, bottom) in enumerate(boxes):
        others = np.flatnonzero((x0 < right) & (left < x1) & (y0 < bottom) & (top < y1))
        near.append([other for other in others.tolist() if other != at])
    return near


def _meet(one: Box, other: Box) -> bool:
    """Tell whether two boxes have a pixel in common."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
