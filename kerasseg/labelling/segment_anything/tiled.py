"""Automatic masks of images of any size: tile by tile, each object once.

**An object that a tile cuts is left to the neighbour that sees all of it**: it is dropped where another tile
holds it with room to spare. One that is larger than what tiles share is cut in all of them, and stays in
parts. **What two tiles found is one object where their masks are the same**, not their boxes: boxes of
elongated cells that lie side by side, or of one that bends around another, are alike though the cells are
not. Comparing masks costs little here, as only objects of different tiles that touch are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kerasseg.console import track
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.found import Box, Found
from kerasseg.labelling.segment_anything.grids import Crop, near_edge
from kerasseg.labelling.segment_anything.network import Network
from kerasseg.labelling.segment_anything.ranges import check_numbers
from kerasseg.prediction.tiling import Tile, Tiling

NEAR = 4.0  # pixels from a tile's side at which an object counts as cut: one of the network's own answer

Read = Callable[[tuple[slice, slice]], np.ndarray]
Choose = Callable[[list[Found]], list[Found]]


def tiled_masks(
    read: Read,
    shape: tuple[int, int],
    network: Network,
    *,
    tile: int = 1024,
    overlap: int = 128,
    choose: Choose = list,
    same: float = 0.7,
    **settings: float,
) -> list[Found]:
    """Find all objects of an image that need not fit into memory.

    Parameters
    ----------
    read : callable
        Gives the pixels (Y, X, C) of a region of rows and columns.
    shape : tuple of int
        Height and width of the image.
    network : Network
    tile : int
        Pixels along a tile's sides.
    overlap : int
        Pixels by which tiles look beyond their part on each side; objects of nearly twice as many are whole
        in one of them.
    choose : callable
        What to keep of a tile's objects, such as a partial `kerasseg.labelling.segment_anything.chosen`.
    same : float
        Intersection over union of their masks above which objects of two tiles are one.
    **settings
        Of `kerasseg.labelling.segment_anything.automatic_masks`, for each tile.

    Returns
    -------
    list of Found
        In pixels of the image, tile by tile; `crop_box` tells what the network saw.

    Raises
    ------
    UserError
        If a number is out of range.
    """
    check_numbers(positive={}, not_negative={}, shares={"same": same})
    tiles = [_as_crop(each) for each in Tiling(tuple(shape), tile, overlap)]
    found = []
    for each in track(tiles, "segmenting tiles by Segment Anything"):
        x0, y0, x1, y1 = each.box
        seen = choose(automatic_masks(read((slice(y0, y1), slice(x0, x1))), network, **settings))
        found.append([one.placed((y0, x0), shape) for one in seen])
    return _each_once(found, tiles, shape, same)


def mask_iou(one: Found, other: Found) -> float:
    """Measure how much two objects of one image have in common: intersection over union."""
    if not _meet(one.box, other.box):
        return 0.0
    common = np.intersect1d(one.pixels, other.pixels, assume_unique=True).size
    return common / (one.area + other.area - common)


def _each_once(
    found: Sequence[Sequence[Found]], tiles: Sequence[Crop], shape: tuple[int, int], same: float
) -> list[Found]:
    """Put the objects of tiles together: those seen whole before those cut, then the best first."""
    near = _neighbours(tiles)
    kept: list[list[Found]] = [[] for _ in tiles]
    ranked = []
    for at, in_tile in enumerate(found):
        for one in in_tile:
            is_cut = near_edge(one.box, tiles[at], shape, NEAR)
            if not (is_cut and any(_sees_whole(tiles[other], one, shape) for other in near[at])):
                ranked.append((is_cut, -one.predicted_iou, at, one))
    for _, _, at, one in sorted(ranked, key=lambda entry: entry[:3]):
        others = (kept[other] for other in near[at] if _meet(one.box, tiles[other].box))
        if not any(mask_iou(one, rival) > same for rivals in others for rival in rivals):
            kept[at].append(one)
    return [one for in_tile in kept for one in in_tile]


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


def _as_crop(tile: Tile) -> Crop:
    rows, columns = tile.source
    return Crop((columns.start, rows.start, columns.stop, rows.stop), 0)
