"""Labels of a mask that arrives band by band: rows of an image, or planes of a volume.

The labels are those of the whole mask, number by number: the functions of `STREAMED` equal those of the same
names in `kerasseg.postprocess.INSTANCES`. Every band is numbered by itself and written; which of its
components touch those of the band before is noted along the seam. Then the pieces that belong together are
joined, and the bands are read once more and numbered anew.

What is in memory is one band, the seam, and a few numbers for every component of a band. Filling holes and
the watershed look at one component at a time within its bounding box: a component that spans the image, as
cells that all touch do, is in memory whole. So is every mask with a class of boundaries, which may connect
everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage, sparse

from kerasseg.errors import UserError
from kerasseg.postprocess import splitting
from kerasseg.postprocess.components import Box, components, fill_objects
from kerasseg.postprocess.numbering import Census


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
    pieces = _write(bands, into, diagonal)
    if not fill:
        return _rewrite(into, pieces.rows, pieces.numbers(smallest))
    _rewrite(into, pieces.rows, pieces.numbers(0))
    boxes = pieces.boxes()
    fill_objects(into, boxes)
    return _renumber(into, pieces.rows, len(boxes), smallest)


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
    pieces = _write(bands, into, diagonal=False)
    _rewrite(into, pieces.rows, pieces.numbers(0))
    boxes = pieces.boxes()
    if fill:
        fill_objects(into, boxes)
    count = splitting.split_objects(into, boxes, distance, spacing)
    return _renumber(into, pieces.rows, count, smallest)


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
    _check_whole(len(mask), into)
    numbered = splitting.boundary(mask, boundary_id=boundary_id, smallest=smallest, fill=fill)
    into[:] = numbered
    return int(numbered.max())


STREAMED = {"components": labels, "watershed": watershed, "boundary": boundary}


class _Pieces(NamedTuple):
    """The components of every band, numbered 1..P through all bands, in the order of their first pixels."""

    rows: list[slice]  # of the bands
    sizes: np.ndarray  # (P,) pixels
    corners: np.ndarray  # (P, 2, axes): where the bounding box begins, and where it ends
    objects: np.ndarray  # (P,) 0..N-1: which object a piece is of, in the order of their first pixels

    def numbers(self, smallest: int) -> np.ndarray:
        """Give the table from pieces to objects: (P + 1,) int32, 0 for what is small."""
        kept = np.bincount(self.objects, weights=self.sizes) >= smallest
        numbers = np.where(kept, np.cumsum(kept), 0)
        return np.concatenate([[0], numbers[self.objects]]).astype(np.int32)

    def boxes(self) -> list[Box]:
        """Give the bounding box of each object, all of them numbered."""
        count, axes = int(self.objects.max(initial=-1)) + 1, self.corners.shape[-1]
        low, high = np.full((count, axes), np.iinfo(np.int64).max), np.zeros((count, axes), np.int64)
        np.minimum.at(low, self.objects, self.corners[:, 0])
        np.maximum.at(high, self.objects, self.corners[:, 1])
        return [tuple(map(slice, *box)) for box in zip(low.tolist(), high.tolist(), strict=True)]


def _write(bands: Iterable[np.ndarray], into: Any, diagonal: bool) -> _Pieces:
    """Write every band's own components, and find which of them are one."""
    rows, sizes, corners, seams = [], [], [], []
    count, above = 0, None
    for band in filter(len, bands):
        rows.append(_next_rows(rows, len(band), into))
        ids = components(band, diagonal)
        sizes.append(np.bincount(ids.ravel())[1:])
        corners.append(_corners(ids, rows[-1].start))
        if count + len(sizes[-1]) > np.iinfo(np.int32).max:
            raise UserError(f"the mask has more than {count} components; int32 cannot number them all")
        ids[ids > 0] += count
        count += len(sizes[-1])
        seams += [] if above is None else [_seam(above, (band[0], ids[0]), diagonal)]
        into[rows[-1]], above = ids, (band[-1], ids[-1])
    _check_whole(rows[-1].stop if rows else 0, into)
    return _Pieces(rows, np.concatenate(sizes), np.concatenate(corners), _joined(seams, count))


def _next_rows(rows: list[slice], height: int, into: Any) -> slice:
    start = rows[-1].stop if rows else 0
    if start + height > into.shape[0]:
        raise UserError(f"bands of {start + height} rows and more were given for labels of {into.shape}")
    return slice(start, start + height)


def _check_whole(height: int, into: Any) -> None:
    if height == 0 or height != into.shape[0]:
        raise UserError(f"bands of {height} rows in all were given for labels of {into.shape}")


def _corners(ids: np.ndarray, start: int) -> np.ndarray:
    """Find where each component of a band begins and ends, in the whole: (p, 2, axes)."""
    boxes = [[[side.start for side in box], [side.stop for side in box]] for box in ndimage.find_objects(ids)]
    corners = np.array(boxes, np.int64).reshape(-1, 2, ids.ndim)
    corners[..., 0] += start
    return corners


def _seam(above: tuple, below: tuple, diagonal: bool) -> np.ndarray:
    """Pair the pieces of one class that touch across a seam: (S, 2).

    Each side is a row or a plane: its classes, and the ids of its pieces.
    """
    pairs = []
    for steps in product((-1, 0, 1) if diagonal else (0,), repeat=above[0].ndim):
        there, here = _shifted(above[0].shape, steps), _shifted(above[0].shape, [-step for step in steps])
        one = (above[0][there] == below[0][here]) & (above[1][there] > 0)
        pairs.append(np.stack([above[1][there][one], below[1][here][one]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _shifted(shape: tuple[int, ...], steps: Iterable[int]) -> tuple[slice, ...]:
    """Take what has a neighbour so many pixels back along each axis."""
    return tuple(slice(max(step, 0), size + min(step, 0)) for size, step in zip(shape, steps, strict=True))


def _joined(seams: list[np.ndarray], count: int) -> np.ndarray:
    """Number what seams connect 0..N-1, in the order of the first pieces: (P,)."""
    first, second = np.concatenate([np.zeros((0, 2), np.int32), *seams]).T
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), (count + 1, count + 1))
    _, found = sparse.csgraph.connected_components(graph, directed=False)
    _, starts, objects = np.unique(found[1:], return_index=True, return_inverse=True)  # without background
    return np.argsort(np.argsort(starts))[objects]


def _rewrite(into: Any, rows: Iterable[slice], table: np.ndarray) -> int:
    """Number anew, band by band, by a table from old to new; give the number of objects."""
    for each in rows:
        into[each] = table[np.asarray(into[each])]
    return int(table.max())


def _renumber(into: Any, rows: list[slice], count: int, smallest: int) -> int:
    """Number in the order of the first pixels, without small objects."""
    census = Census(count)
    for each in rows:
        census.add(np.asarray(into[each]))
    return _rewrite(into, rows, census.numbers(smallest))
