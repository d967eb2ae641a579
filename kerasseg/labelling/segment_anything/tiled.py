"""Automatic masks of images of any size: tile by tile, each object once, see `once`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseg.console import track
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.found import Found
from kerasseg.labelling.segment_anything.grids import Crop
from kerasseg.labelling.segment_anything.kerashub import Network
from kerasseg.labelling.segment_anything.once import each_once
from kerasseg.labelling.segment_anything.ranges import check_numbers
from kerasseg.prediction.tiling import Tile, Tiling

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
        In pixels of the image; `crop_box` tells what the network saw. An object that is larger than what
        tiles share is joined from what they see of it, and background too: `choose` leaves it out.

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
    return each_once(found, tiles, shape, same)


def _as_crop(tile: Tile) -> Crop:
    rows, columns = tile.source
    return Crop((columns.start, rows.start, columns.stop, rows.stop), 0)
