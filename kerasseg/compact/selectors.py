"""The ways in which points are chosen, each by its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize, thin

from kerasseg.compact import kernels
from kerasseg.compact.field import BAND, Field
from kerasseg.compact.keypoints import Base, Kernel
from kerasseg.compact.pursuit import fit, pursue
from kerasseg.errors import UserError
from kerasseg.images import statistics
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store

STEP = 0.7  # of the median amplitude: smaller steps take more bytes than they are worth
EDGE_GRADIENTS = (100, 200)  # of 255: from which pixels continue an edge, and from which they begin one


class Selection(NamedTuple):
    """What a selector chose.

    Attributes
    ----------
    index : numpy.ndarray
        (N,) int64 in the flattened grid, sorted.
    amplitudes : numpy.ndarray or None
        (N, C) int32; None where all are 1.
    offset, step : numpy.ndarray
        (C,) in the image's units: see `KeyPoints`.
    base : Base or None
        What the points are added to.
    """

    index: np.ndarray
    amplitudes: np.ndarray | None
    offset: np.ndarray
    step: np.ndarray
    base: Base | None = None


@dataclass(frozen=True)
class Selector:
    """A way to choose points.

    Attributes
    ----------
    choose : callable
        ``choose(field, count, kernel, **options) -> Selection``; `count` may be None for those of whatever
        number.
    kernel : callable
        Makes the kernel where none is given.
    share : float or None
        Points per pixel where no budget is given; None is as many as there are.
    grey_only : bool
        Whether an image has to have one channel.
    """

    choose: Callable[..., Selection]
    kernel: Callable[[], Kernel]
    share: float | None = None
    grey_only: bool = True


def pursuit(field: Field, count: int | None, kernel: Kernel, *, amplitude: float = 1.0) -> Selection:
    """Choose, one by one, points that take most off the squared error, as long as one does.

    Parameters
    ----------
    field : Field
        Of one channel, from black to white.
    count : int, optional
        The most points; default is no limit.
    kernel : Kernel
    amplitude : float
        What every point is, as a share of white: less than 1 where kernels are to add up.
    """
    limit = math.prod(field.grid) if count is None else count
    index = np.sort(pursue(field, kernel, limit, amplitude=amplitude).index)
    return Selection(index, None, field.low, field.span * amplitude)


def grey(field: Field, count: int, kernel: Kernel) -> Selection:
    """Pursue points with grey values, brighter or darker than the median, whose amplitudes are fitted."""
    (median,) = np.rint(statistics.percentiles(field.bands, field.image.dtype, (50,)))
    return _signed(Field(field.image, median, median + field.span), count, kernel)._replace(offset=median)


def hybrid(field: Field, count: int, kernel: Kernel, *, factor: int = 8, distance: float = 1.0) -> Selection:
    """Keep a thumbnail, and grey points of what it lacks.

    Parameters
    ----------
    factor : int
        How many times smaller the thumbnail is along Y and X; a power of two.
    distance : float
        Of the thumbnail's JPEG XL: 0 is lossless.
    """
    if factor < 2 or factor & (factor - 1):
        raise UserError(f"a thumbnail {factor} times smaller; expected a power of two, such as 8")
    small = np.stack([_thumbnail(field, plane, factor) for plane in field.planes()])
    small = small.reshape(*field.grid[:-2], *small.shape[1:])
    base = Base.encode(factor, small, channels=True, distance=distance)
    return _signed(Field(field.image, field.low, field.high, base), count, kernel)._replace(base=base)


def thinned(
    field: Field,
    count: int | None,
    kernel: Kernel,
    *,
    thinning: Callable[[np.ndarray], np.ndarray],
    threshold: float | None = None,
) -> Selection:
    """Thin what is above a threshold, Otsu's or a share of white, to lines, plane by plane.

    With a budget, the brightest points of the lines are kept.
    """
    level = _level(field, threshold)
    return _of_planes(field, count, lambda plane: thinning(plane > level))


def canny(field: Field, count: int | None, kernel: Kernel) -> Selection:
    """Keep Canny's edges (1986, doi:10.1109/TPAMI.1986.4767851), plane by plane.

    With a budget, the brightest of them are kept.
    """

    def edges(plane: np.ndarray) -> np.ndarray:
        bytes_ = np.rint((plane - field.low) * (255 / field.span)).astype(np.uint8)
        return cv2.Canny(bytes_, *EDGE_GRADIENTS) > 0

    return _of_planes(field, count, edges)


def brightest(field: Field, count: int, kernel: Kernel) -> Selection:
    """Keep the brightest pixels; of equal ones the first."""
    counts = statistics.histogram(field.bands)[0]
    above = np.cumsum(counts[::-1])[::-1]  # pixels of at least each value
    least = np.flatnonzero(above >= count).max()
    index, values = _where(field, lambda plane: plane >= least)
    return _binary(field, _first_of(index, -values, count))


def lattice(field: Field, count: int, kernel: Kernel, *, threshold: float | None = None) -> Selection:
    """Keep the pixels above a threshold on a square lattice, as fine as the budget allows."""
    level = _level(field, threshold)
    index, _ = _where(field, lambda plane: plane > level)
    y, x = np.unravel_index(index, field.grid)[-2:]
    spacing = max(math.sqrt(len(index) / count), 1.0)
    best = index[:0]
    for step in spacing * np.geomspace(0.7, 1.4, 29):
        on_lattice = _rounded_multiple(y, step) & _rounded_multiple(x, step)
        if len(best) < np.count_nonzero(on_lattice) <= count:
            best = index[on_lattice]
    return _binary(field, best)


def bitmap(field: Field, count: int | None, kernel: Kernel, *, threshold: float | None = None) -> Selection:
    """Keep every pixel above a threshold, one bit each; with a budget the brightest of them."""
    level = _level(field, threshold)
    return _of_planes(field, count, lambda plane: plane > level)


def network(
    field: Field,
    count: int | None,
    kernel: Kernel,
    *,
    probabilities: Callable[[np.ndarray | Store], Iterator[tuple[slice, np.ndarray]]],
    threshold: float,
) -> Selection:
    """Keep the pixels that a trained network calls points; with a budget the most probable ones.

    Parameters
    ----------
    field, count, kernel
        As of `pursuit`; a 2-D image.
    probabilities : callable
        From the image to bands of rows, each with its (rows, X) float32 in [0, 1], valid until the next.
    threshold : float
        Probability from which on a pixel is a point; a budget does without.

    Raises
    ------
    UserError
        If the image has planes.
    """
    if len(field.grid) != 2:
        raise UserError(f"network takes 2-D images, and this one is {field.grid}; choose another method")
    index, certainty = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for rows, band in probabilities(field.image):
        places = np.flatnonzero(band >= (threshold if count is None else 0))
        index = np.concatenate([index, places + rows.start * field.grid[1]])
        certainty = np.concatenate([certainty, band.ravel()[places]])
        best = np.lexsort((index, -certainty))[:count]
        index, certainty = index[best], certainty[best]
    return _binary(field, np.sort(index))


SELECTORS: dict[str, Selector] = {
    "hybrid": Selector(hybrid, partial(kernels.gaussian, 1.5, 7), share=0.01, grey_only=False),
    "grey": Selector(grey, partial(kernels.gaussian, 1.5, 7), share=0.03, grey_only=False),
    "pursuit": Selector(pursuit, kernels.gaussian),
    "zhang_suen": Selector(  # Zhang and Suen 1984, doi:10.1145/357994.358023
        partial(thinned, thinning=partial(skeletonize, method="zhang")), kernels.gaussian
    ),
    "guo_hall": Selector(  # Guo and Hall 1989, doi:10.1145/62065.62074; not that of 1992
        partial(thinned, thinning=thin), kernels.gaussian
    ),
    "canny": Selector(canny, kernels.gaussian),
    "brightest": Selector(brightest, kernels.gaussian, share=0.03),
    "lattice": Selector(lattice, kernels.gaussian, share=0.03),
    "bitmap": Selector(bitmap, kernels.pixel),
    "network": Selector(network, kernels.gaussian),
}


def _signed(field: Field, count: int, kernel: Kernel) -> Selection:
    """Pursue points of either sign, fit their amplitudes, and round them to whole steps of each channel."""
    index = np.sort(pursue(field, kernel, count).index)
    amplitudes = fit(field, kernel, index)
    step = STEP * np.median(np.abs(amplitudes), axis=0) if len(index) else np.ones(len(field.low))
    step[step == 0] = 1.0
    scaled = amplitudes / step
    whole = np.rint(scaled).astype(np.int32)
    lost = np.flatnonzero(~whole.any(axis=1))  # a point of the budget stays a point
    strongest = np.abs(scaled[lost]).argmax(axis=1)
    whole[lost, strongest] = np.where(scaled[lost, strongest] < 0, -1, 1)
    return Selection(index, whole, np.zeros(len(step)), step * field.span)


def _binary(field: Field, index: np.ndarray) -> Selection:
    return Selection(index, None, field.low, field.span)


def _of_planes(field: Field, count: int | None, choose: Callable[[np.ndarray], np.ndarray]) -> Selection:
    """Choose in each whole plane by a function from (Y, X) to a mask; with a budget keep the brightest."""
    index, values = _where(field, choose, rows=field.grid[-2])
    return _binary(field, index if count is None else _first_of(index, -values, count))


def _where(
    field: Field, choose: Callable[[np.ndarray], np.ndarray], rows: int = BAND
) -> tuple[np.ndarray, np.ndarray]:
    """Look at an image of one channel in bands: indices of the chosen pixels, sorted, and their values."""
    height, width = field.grid[-2:]
    indices, values = [], []
    for plane in field.planes():
        for band in cuts(height, rows):
            pixels = field.read(plane, band, slice(0, width))[..., 0]
            places = np.flatnonzero(choose(pixels))
            indices.append(places + np.ravel_multi_index((*plane, band.start, 0), field.grid))
            values.append(pixels.ravel()[places].astype(np.int64))
    return np.concatenate(indices), np.concatenate(values)


def _first_of(index: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """Keep so many of the least keys, and give them sorted by their index."""
    return np.sort(index[np.argsort(keys, kind="stable")[:count]])


def _rounded_multiple(place: np.ndarray, step: float) -> np.ndarray:
    """Tell which whole numbers a lattice of this spacing falls on, its places rounded."""
    return np.rint(np.rint(place / step) * step) == place


def _level(field: Field, threshold: float | None) -> float:
    """Give the threshold in the image's units: a share of white, or Otsu's (1979)."""
    if threshold is not None:
        return float(field.low[0] + threshold * field.span[0])
    counts = statistics.histogram(field.bands)[0]
    values = np.flatnonzero(counts)
    return (
        float(threshold_otsu(hist=(counts, np.arange(len(counts))))) if len(values) > 1 else float(values[0])
    )


def _thumbnail(field: Field, plane: tuple[int, ...], factor: int) -> np.ndarray:
    """Average squares of a plane, its last row and column going on beyond it: (h, w, C) of its type."""
    height, width = field.grid[-2:]
    bands = []
    for rows in cuts(height, BAND * factor):
        pixels = field.read(plane, rows, slice(0, width))
        pixels = np.pad(pixels, ((0, -pixels.shape[0] % factor), (0, -width % factor), (0, 0)), "edge")
        squares = pixels.reshape(pixels.shape[0] // factor, factor, -1, factor, pixels.shape[-1])
        bands.append(np.rint(squares.mean(axis=(1, 3))).astype(pixels.dtype))
    return np.concatenate(bands)
