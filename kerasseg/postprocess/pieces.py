"""The components of a mask that arrives band by band: which pieces there are, and which of them are one.

Each band is numbered together with the last row or plane of the band before. A component that holds a pixel
there is one with the piece that holds it in the band before, whatever connects neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from kerasseg.errors import UserError
from kerasseg.images.stores.blocks import cuts
from kerasseg.postprocess.components import connected
from kerasseg.postprocess.numbering import find_runs

PART = 2**20  # pixels


class Pieces(NamedTuple):
    """The components of every band, in the order of their first pixels; P in all, of N objects."""

    rows: list[slice]  # of the bands
    ends: list[int]  # of the pieces of each band, which are those from the end of the band before
    objects: np.ndarray  # (P,) 0..N-1: which object a piece is of, in the order of their first pixels
    sizes: np.ndarray  # (P,) int64 pixels; (0,) if they were not to be counted, as the next
    values: np.ndarray  # (P,) of the first pixel

    @property
    def count(self) -> int:
        """N."""
        return int(self.objects.max(initial=-1)) + 1

    def object_sizes(self) -> np.ndarray:
        """Sum the sizes of each object's pieces: (N,) int64."""
        sizes = np.zeros(self.count, np.int64)
        np.add.at(sizes, self.objects, self.sizes)
        return sizes

    def object_values(self) -> np.ndarray:
        """Give the value of each object's first pixel: (N,)."""
        _, first = np.unique(self.objects, return_index=True)
        return self.values[first]

    def renumber(self, into: Any, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Replace the numbers that `write` wrote by those of the objects, band by band.

        Parameters
        ----------
        into : array-like
            As `write` left it.
        numbers : np.ndarray
            (N,) the new number of each object; 0 makes it background.

        Yields
        ------
        np.ndarray
            int32 labels of each band, which are written by then.
        """
        numbers = numbers.astype(np.int32)
        for rows, start, end in zip(self.rows, [0, *self.ends], self.ends, strict=False):
            table = np.append(np.int32(0), numbers[self.objects[start:end]])
            band = np.asarray(into[rows])
            into[rows] = np.take(table, band, out=band, mode="clip")  # half the time of table[band]
            yield band


def write(
    bands: Iterable[np.ndarray], into: Any, connectivity: int, delta: int = 0, *, count: bool = True
) -> Pieces:
    """Number the components of each band by themselves, and find which of them are one.

    Parameters
    ----------
    bands : iterable of np.ndarray
        (rows, X) or (planes, Y, X) unsigned integers, 0 for background, from the first to the last; of any
        heights.
    into : array-like
        int32 of the whole image's shape, written by slices.
    connectivity, delta
        See `kerasseg.postprocess.components.connected`.
    count : bool
        Whether pixels are counted, which takes about as long as to find the components.

    Returns
    -------
    Pieces
        `into` holds 1, 2, ... in every band anew; see `Pieces.renumber`.

    Raises
    ------
    UserError
        If the bands are not as high as `into`, or hold more components than int32 can number.
    """
    rows, ends, seams, counts = [], [], [], [PixelCounts(np.zeros(0, np.int64), np.zeros(0, np.uint8))]
    above = None
    for band in _parts(bands):
        start = ends[-1] if ends else 0
        rows.append(_next_rows(rows, len(band), into))
        joint = band if above is None else np.concatenate([above.band[np.newaxis], band])
        ids = connected(joint, connectivity, delta)
        ends.append(start + int(ids.max(initial=0)))
        if ends[-1] > np.iinfo(np.int32).max:
            raise UserError(f"the mask has more than {start} components; int32 cannot number them all")
        if above is not None:
            seams.append(_seam(above, ids[0], start))
        into[rows[-1]] = ids[-len(band) :]
        if count:
            counts.append(count_pixels(joint, ids, len(band)))
        above = _Edge(band[-1], ids[-1], start)
    check_whole(rows[-1].stop if rows else 0, into)
    counted = map(np.concatenate, zip(*counts, strict=True))
    return Pieces(rows, ends, _joined(seams, ends[-1]), *counted)


def _parts(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut high bands, so that what is computed of a part stays in the processor's cache."""
    for band in filter(len, bands):
        height = max(1, PART // max(1, band[0].size))
        yield from (band[rows] for rows in cuts(len(band), height))


def check_whole(height: int, into: Any) -> None:
    """Refuse bands that are not as high as the labels in all."""
    if height == 0 or height != into.shape[0]:
        raise UserError(f"bands of {height} rows in all were given for labels of {into.shape}")


class _Edge(NamedTuple):
    """The last row or plane of a band."""

    band: np.ndarray
    ids: np.ndarray
    start: int  # of the band's pieces


class PixelCounts(NamedTuple):
    """What is counted of each component: arrays (p,)."""

    sizes: np.ndarray  # int64 pixels
    values: np.ndarray  # of the first pixel


def _next_rows(rows: list[slice], height: int, into: Any) -> slice:
    start = rows[-1].stop if rows else 0
    if start + height > into.shape[0]:
        raise UserError(f"bands of {start + height} rows and more were given for labels of {into.shape}")
    return slice(start, start + height)


def count_pixels(values: np.ndarray, ids: np.ndarray, height: int) -> PixelCounts:
    """Count the pixels of components 1..p in the last `height` rows or planes, and look at first pixels."""
    each = find_runs(ids)
    highest = np.maximum.accumulate(each.objects)
    first = np.flatnonzero(np.diff(highest, prepend=0))  # pieces are numbered in the order of these
    sizes = np.zeros(len(first) + 1, np.int64)
    own = np.searchsorted(each.starts, ids[: len(ids) - height].size)
    np.add.at(sizes, each.objects[own:], each.lengths[own:])
    return PixelCounts(sizes[1:], values.ravel()[each.starts[first]])


def _seam(above: _Edge, ids: np.ndarray, start: int) -> np.ndarray:
    """Pair the pieces that hold a pixel on both sides of a seam: (S, 2), through all bands."""
    within = ids > 0
    pairs = above.ids[within].astype(np.int64) << 32 | ids[within]
    return np.stack(np.divmod(np.unique(pairs), 1 << 32), axis=1) + np.array([above.start, start])


def _joined(seams: list[np.ndarray], count: int) -> np.ndarray:
    """Number what seams connect 0..N-1, in the order of the first pieces: (P,)."""
    first, second = np.concatenate([np.zeros((0, 2), np.int64), *seams]).T - 1
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), (count, count))
    _, found = sparse.csgraph.connected_components(graph, directed=False)
    _, starts, objects = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(starts))[objects]
