"""What can be measured of objects, from labels and images of any size: as scikit-image's `regionprops`.

Labels are read band by band. What is kept of an object's part in a band can be added to that of its other
parts: pixels, moments, what was counted at its border, the corners of its hull. All of it is whole numbers
(but for the intensities of images of floats), so that the bands' heights change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations_with_replacement, starmap
from typing import Any, NamedTuple

import numpy as np

from kerasseg.images.label_ids import consecutive
from kerasseg.images.stores.blocks import cuts
from kerasseg.postprocess.components import Box
from kerasseg.postprocess.hull import Corners, convex_areas, corners, left_corners
from kerasseg.postprocess.numbering import Runs, find_runs
from kerasseg.postprocess.surface import MARGIN, count_borders

BAND = 2**22  # pixels that are measured together
HIGHEST = 1024  # rows that are


class Measured(NamedTuple):
    """What was measured of N objects, in pixels; in the order of their ids."""

    ids: np.ndarray  # (N,) int64
    sizes: np.ndarray  # (N,) int64 pixels
    starts: np.ndarray  # (N, axes) int64: the first pixel of the bounding box
    stops: np.ndarray  # (N, axes) int64: the first pixel behind it
    centres: np.ndarray  # (N, axes) float64: centres of mass
    covariances: np.ndarray  # (N, axes, axes) float64: second central moments a pixel
    borders: np.ndarray  # (D, N) int64: see `kerasseg.postprocess.surface.count_borders`
    convex: np.ndarray | None  # (N,) int64 pixels of the convex hull; None in a volume
    sums: np.ndarray  # (N, C) int64 or float64 intensities
    maxima: np.ndarray  # (N, C) of the image's type


class _Part(NamedTuple):
    """What was measured of the objects in a band: n of them."""

    ids: np.ndarray  # (n,)
    totals: np.ndarray  # (T, n) int64: pixels, first and second moments, borders
    starts: np.ndarray  # (axes, n)
    stops: np.ndarray  # (axes, n)
    hull: tuple[Corners, Corners] | None  # objects are those of `ids`, from 0
    sums: np.ndarray  # (n, C)
    maxima: np.ndarray  # (n, C)


def measure(
    labels: Any, image: Any = None, shown: Callable[[list[slice]], Iterable[slice]] = iter
) -> Measured:
    """Measure the objects of labels that are read band by band.

    Parameters
    ----------
    labels : array-like
        (Y, X) or (Z, Y, X) integer ids, 0 for background, read by slices of the first axis.
    image : array-like, optional
        (Y, X, C) or (Z, Y, X, C) intensities, read likewise.
    shown : callable, optional
        Shows progress over the bands, as `kerasseg.console.track` does.

    Returns
    -------
    Measured
    """
    height = max(1, min(BAND // int(np.prod(labels.shape[1:])), HIGHEST))
    bands = list(cuts(len(labels), height))
    parts = [
        _measure_band(_framed(labels, rows), None if image is None else image[rows], rows.start)
        for rows in shown(bands)
    ]
    return _together(parts, len(labels.shape))


def _framed(labels: Any, rows: slice) -> np.ndarray:
    """Read a band with the rows before and behind it, and put a frame of background around the image."""
    axes, height = len(labels.shape), labels.shape[0]
    start, stop = max(0, rows.start - MARGIN[axes]), min(height, rows.stop + MARGIN[axes])
    beyond = (MARGIN[axes] - rows.start + start, MARGIN[axes] - stop + rows.stop)
    return np.pad(np.asarray(labels[start:stop]), [beyond] + [(1, 1)] * (axes - 1))


def _measure_band(framed: np.ndarray, image: np.ndarray | None, first_row: int) -> _Part:
    """Measure what lies in a band, whose first row or plane within its margins has a place in the whole."""
    axes = framed.ndim
    inside = slice(MARGIN[axes], -MARGIN[axes])
    ids, numbers = consecutive(framed)
    runs = find_runs(numbers[inside])
    first = np.array(np.unravel_index(runs.starts, numbers[inside].shape))
    first -= np.array([[-first_row]] + [[1]] * (axes - 1))  # without the frame
    moments = _sum_up(runs, _moments(first, runs.lengths), len(ids))
    present = np.flatnonzero(moments[0])
    starts, stops = _extents(runs, first, len(ids))
    borders = count_borders(numbers, len(ids) - 1)
    number_of = np.zeros(len(ids), np.int64)
    number_of[present] = np.arange(len(present))
    own = Runs(number_of[runs.objects], runs.starts, runs.lengths)
    inner = (inside, *(slice(1, -1),) * (axes - 1))
    sums, maxima = _intensities(numbers[inner] > 0, image, own, len(present))
    return _Part(
        ids[present],
        np.concatenate([moments, borders])[:, present],
        starts[:, present],
        stops[:, present],
        corners(own, *first) if axes == 2 else None,
        sums,
        maxima,
    )


def _extents(runs: Runs, first: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the first pixels of boxes around the objects 0..count - 1 and those behind: (axes, count) each."""
    starts = np.full((len(first), count), np.iinfo(np.int64).max)
    stops = np.zeros((len(first), count), np.int64)
    last = first.copy()
    last[-1] += runs.lengths - 1
    for axis in range(len(first)):
        np.minimum.at(starts[axis], runs.objects, first[axis])
        np.maximum.at(stops[axis], runs.objects, last[axis] + 1)
    return starts, stops


def boxes(bands: Iterable[np.ndarray], count: int) -> list[Box | None]:
    """Find the bounding boxes of objects whose labels arrive band by band.

    Parameters
    ----------
    bands : iterable of np.ndarray
        (rows, X) or (planes, Y, X) int32 labels, from the first to the last; at least one.
    count : int
        N, the highest label.

    Returns
    -------
    list of tuple of slice
        The box of each of the objects 1..N; None of what is not there.
    """
    starts = stops = None
    seen = 0
    for band in bands:
        runs = find_runs(band)
        first = np.array(np.unravel_index(runs.starts, band.shape))
        first[0] += seen
        seen += len(band)
        low, high = _extents(runs, first, count + 1)
        starts = low if starts is None else np.minimum(starts, low)
        stops = high if stops is None else np.maximum(stops, high)
    sides = zip(starts.T[1:].tolist(), stops.T[1:].tolist(), strict=True)
    return [tuple(map(slice, start, stop)) if any(stop) else None for start, stop in sides]


def _moments(first: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Sum over each run's pixels 1, their coordinates, and the products of each two of these."""
    *outer, x = first
    sum_x = lengths * x + lengths * (lengths - 1) // 2
    sum_xx = x * (2 * sum_x - lengths * x) + (lengths - 1) * lengths * (2 * lengths - 1) // 6
    coordinates = [*outer, None]  # x, which changes along a run

    def product(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray:
        if one is None:
            return sum_xx
        return one * sum_x if other is None else one * other * lengths

    return [
        lengths,
        *(each * lengths for each in outer),
        sum_x,
        *starmap(product, combinations_with_replacement(coordinates, 2)),
    ]


def _sum_up(runs: Runs, values: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Add what belongs to runs up by objects: (T, count) int64."""
    sums = np.zeros((len(values), count), np.int64)
    for total, each in zip(sums, values, strict=True):
        np.add.at(total, runs.objects, each)
    return sums


def _intensities(
    inside: np.ndarray, image: np.ndarray | None, runs: Runs, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum up the intensities of objects 0..count - 1 in each channel, and find the largest."""
    channels = 0 if image is None else image.shape[-1]
    whole = image is None or image.dtype.kind in "biu"
    sums = np.zeros((count, channels), np.int64 if whole else np.float64)
    maxima = np.full((count, channels), *_least(np.dtype(np.uint8) if image is None else image.dtype))
    if not count:
        return sums, maxima
    begins = np.cumsum(runs.lengths) - runs.lengths
    for channel in range(channels):
        pixels = image[..., channel][inside]
        np.add.at(sums[:, channel], runs.objects, np.add.reduceat(pixels, begins, dtype=sums.dtype))
        np.maximum.at(maxima[:, channel], runs.objects, np.maximum.reduceat(pixels, begins))
    return sums, maxima


def _least(dtype: np.dtype) -> tuple[float, np.dtype]:
    """Give the least value of a type, and the type."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min, dtype


def _together(parts: Sequence[_Part], axes: int) -> Measured:
    """Put the parts of objects together."""
    ids, objects = np.unique(np.concatenate([part.ids for part in parts]), return_inverse=True)
    totals = np.zeros((len(parts[0].totals), len(ids)), np.int64)
    starts = np.full((axes, len(ids)), np.iinfo(np.int64).max)
    stops = np.zeros((axes, len(ids)), np.int64)
    sums = np.zeros((len(ids), parts[0].sums.shape[1]), parts[0].sums.dtype)
    maxima = np.full(sums.shape, *_least(parts[0].maxima.dtype))
    ends = np.cumsum([len(part.ids) for part in parts])
    of_parts = np.split(objects, ends[:-1])
    for part, own in zip(parts, of_parts, strict=True):
        totals[:, own] += part.totals
        starts[:, own] = np.minimum(starts[:, own], part.starts)
        stops[:, own] = np.maximum(stops[:, own], part.stops)
        maxima[own] = np.maximum(maxima[own], part.maxima)
        sums[own] += part.sums
    sizes, centres, covariances = _central(totals, axes)
    hull = None
    if axes == 2:
        left, right = (_renumbered([part.hull[side] for part in parts], of_parts) for side in (0, 1))
        hull = convex_areas(left, right, len(ids))
    borders = totals[1 + axes + axes * (axes + 1) // 2 :]
    return Measured(ids, sizes, starts.T, stops.T, centres, covariances, borders, hull, sums, maxima)


def _central(totals: np.ndarray, axes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give sizes, centres and second central moments a pixel.

    Sums of squares of coordinates may be too large for 64 bits and wrap around; taken about a pixel near the
    centre they fit again, and are exact.
    """
    sizes, firsts, seconds = totals[0], totals[1 : 1 + axes], totals[1 + axes :]
    near = firsts // sizes
    beside = firsts - near * sizes
    covariances = np.empty((len(sizes), axes, axes))
    for number, (one, other) in enumerate(combinations_with_replacement(range(axes), 2)):
        about = seconds[number] - near[one] * firsts[other] - near[other] * beside[one]
        covariances[:, one, other] = (about - beside[one] * (beside[other] / sizes)) / sizes
        covariances[:, other, one] = covariances[:, one, other]
    return sizes, (firsts / sizes).T, covariances


def _renumbered(parts: Sequence[Corners], of_parts: Sequence[np.ndarray]) -> Corners:
    """Put the corners of parts together, by the numbers of the whole objects."""
    numbered = [own[part.objects] for part, own in zip(parts, of_parts, strict=True)]
    rows, columns = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    return left_corners(Corners(np.concatenate(numbered), rows, columns))
