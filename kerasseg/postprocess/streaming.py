"""Labels of a mask that arrives band by band: rows of an image, or planes of a volume.

The labels are those of the whole mask, number by number: the functions of `STREAMED` equal those of the same
names in `kerasseg.postprocess.INSTANCES`. Every band is numbered by itself and written; which of its
components are one with those of the band before is noted (see `kerasseg.postprocess.pieces`). Then the bands
are read once more and numbered anew.

What is in memory is one band and a few numbers for every component of a band. Filling holes and
the watershed look at one component at a time within its bounding box: a component that spans the image, as
cells that all touch do, is in memory whole. So is every mask with a class of boundaries, which may connect
everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kerasseg.postprocess import cleaning, splitting
from kerasseg.postprocess.components import CONNECTIVITIES, Box, fill_objects, without_ignored
from kerasseg.postprocess.measurement import boxes
from kerasseg.postprocess.numbering import Census
from kerasseg.postprocess.pieces import Pieces, check_whole, write


def labels(
    bands: Iterable[np.ndarray], into: Any, *, smallest: int = 0, fill: bool = False, diagonal: bool = False
) -> int:
    """Number the objects of a mask that arrives in bands: see `kerasseg.postprocess.labels`.

    Parameters
    ----------
    bands : iterable of np.ndarray
        (rows, X) or (planes, Y, X) uint8 class ids, from the first to the last; of any heights.
    into : array-like
        int32 of the whole mask's shape, read and written by slices: an array, a memory map, a Zarr array.
    smallest, fill, diagonal
        As for the whole mask.

    Returns
    -------
    int
        The number of objects.

    Raises
    ------
    UserError
        If the bands are not as high as `into`, or hold more components than int32 can number.
    """
    pieces = _write(bands, into, diagonal, count=smallest > 1 and not fill)
    if not fill:
        kept = pieces.object_sizes() >= smallest if smallest > 1 else np.ones(pieces.count, bool)
        for _ in pieces.renumber(into, np.where(kept, np.cumsum(kept), 0)):
            pass
        return int(kept.sum())
    around = _boxes(pieces, into)
    fill_objects(into, around)
    return _renumber(into, pieces.rows, len(around), smallest)


def watershed(
    bands: Iterable[np.ndarray],
    into: Any,
    *,
    distance: float = 10.0,
    spacing: tuple[float, ...] | None = None,
    smallest: int = 0,
    fill: bool = False,
) -> int:
    """Number the objects of a mask that arrives in bands: see `kerasseg.postprocess.watershed`.

    Parameters
    ----------
    bands, into
        As for `labels`.
    distance, spacing, smallest, fill
        As for the whole mask.

    Returns
    -------
    int
        The number of objects.

    Raises
    ------
    UserError
        As for `labels`, and if there are not as many spacings as axes.
    """
    return _divided(bands, into, splitting.by_distance(distance, spacing), smallest, fill)


def deep_watershed(
    bands: Iterable[np.ndarray],
    into: Any,
    landscape: Any,
    *,
    depth: float = 0.15,
    summit: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    smallest: int = 0,
    fill: bool = False,
) -> int:
    """Number the objects of a mask that arrives in bands: see `kerasseg.postprocess.deep_watershed`.

    Parameters
    ----------
    bands, into
        As for `labels`.
    landscape : array-like
        uint8 of the whole mask's shape, read by slices when all bands have arrived.
    depth, summit, spacing, smallest, fill
        As for the whole mask.

    Returns
    -------
    int
        The number of objects.

    Raises
    ------
    UserError
        As for `watershed`.
    """
    divide = splitting.by_landscape(landscape, depth, summit, spacing)
    return _divided(bands, into, divide, smallest, fill)


def boundary(
    bands: Iterable[np.ndarray], into: Any, *, boundary_id: int = 2, smallest: int = 0, fill: bool = False
) -> int:
    """Number the objects of a mask with a class of boundaries: see `kerasseg.postprocess.boundary`.

    Parameters
    ----------
    bands, into
        As for `labels`; here the whole mask and its labels are in memory.
    boundary_id, smallest, fill
        As for the whole mask.

    Returns
    -------
    int
        The number of objects.

    Raises
    ------
    UserError
        If the bands are not as high as `into`.
    """
    mask = np.concatenate(list(bands))
    check_whole(len(mask), into)
    numbered = splitting.boundary(mask, boundary_id=boundary_id, smallest=smallest, fill=fill)
    into[:] = numbered
    return int(numbered.max())


STREAMED = {
    "components": labels,
    "watershed": watershed,
    "deep_watershed": deep_watershed,
    "boundary": boundary,
    "by_size": cleaning.number_bands,
}


def _divided(
    bands: Iterable[np.ndarray], into: Any, divide: splitting.Divide, smallest: int, fill: bool
) -> int:
    """Number the components of a mask that arrives in bands, each divided into objects."""
    pieces = _write(bands, into, diagonal=False, count=False)
    around = _boxes(pieces, into)
    if fill:
        fill_objects(into, around)
    return _renumber(into, pieces.rows, splitting.split_objects(into, around, divide), smallest)


def _write(bands: Iterable[np.ndarray], into: Any, diagonal: bool, count: bool) -> Pieces:
    connectivity = CONNECTIVITIES[len(into.shape)][-1 if diagonal else 0]
    return write(map(without_ignored, bands), into, connectivity, count=count)


def _boxes(pieces: Pieces, into: Any) -> list[Box]:
    """Number all objects in the order of their first pixels, and find their bounding boxes."""
    return boxes(pieces.renumber(into, np.arange(1, pieces.count + 1)), pieces.count)


def _renumber(into: Any, rows: list[slice], count: int, smallest: int) -> int:
    """Number in the order of the first pixels, without small objects; give how many are left."""
    census = Census(count)
    for each in rows:
        census.add(np.asarray(into[each]))
    table = census.numbers(smallest)
    for each in rows:
        into[each] = table[np.asarray(into[each])]
    return int(table.max())
