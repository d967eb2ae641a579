"""Which points of an image are kept: every way by its name, an exact budget or a wanted likeness.

points = select(image, "YX", "hybrid", budget="1%")
again = rebuild(points)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize, thin

from kerasseg.compact import kernels
from kerasseg.compact.keypoints import DTYPES, Base, Kernel, KeyPoints
from kerasseg.compact.pursuit import Field, fit, pursue
from kerasseg.compact.rebuilding import rebuild_plane
from kerasseg.errors import UserError, unknown
from kerasseg.images import statistics
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store
from kerasseg.metrics.similarity import WINDOW, ssim_11, ssim_global

BAND = 256  # rows that are looked at in one go
STEP = 0.7  # of the median amplitude: smaller steps take more bytes than they are worth
EDGE_GRADIENTS = (100, 200)  # of 255: from which pixels continue an edge, and from which they begin one
BLACK, WHITE = 0.1, 0.9  # of an image's range
WHITE_SHARE, LIT_SHARE = 0.25, 0.5


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


def select(
    image: np.ndarray | Store,
    axes: str,
    method: str,
    *,
    budget: float | str | None = None,
    ssim: float | None = None,
    kernel: Kernel | None = None,
    pixel_size: tuple[float | None, ...] | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> KeyPoints:
    """Choose points of an image of any size.

    Parameters
    ----------
    image : numpy.ndarray or Store
        uint8 or uint16, with all of `axes`; it is read by region, and may be mapped from a file.
    axes : str
        Y and X last, or before C; planes (Z, T) before them. A store of one channel needs no C.
    method : str
        A name of `SELECTORS`.
    budget : float or str, optional
        How many points: a number from 1, or a share such as ``"3%"``; default is that of the method. Methods
        that stop by themselves (pursuit, thinning, edges) may have fewer, never more.
    ssim : float, optional
        Instead of a budget: the least number of points, to about 3 %, of which `likeness` is at least this.
    kernel : Kernel, optional
        What a point becomes; default is that of the method.
    pixel_size : tuple of float, optional
        Micrometres along the axes in space.
    options : mapping
        Further keyword arguments of the method's function.

    Returns
    -------
    KeyPoints

    Raises
    ------
    UserError
        If the image is empty, of another type, of several channels where one is meant or smaller than the
        kernel, or if the budget or the SSIM cannot be had.
    """
    if method not in SELECTORS:
        raise UserError(unknown("method", method, SELECTORS))
    if ssim is not None:
        check_ssim(ssim)
    selector = SELECTORS[method]
    kernel = kernel or selector.kernel()
    pixels = _with_channels(image, axes)
    _check(pixels, axes, method, kernel)
    field = Field(pixels, *_extremes(pixels))

    def chosen(count: int | None) -> KeyPoints:
        selection = selector.choose(field, count, kernel, **options)
        return _keypoints(selection, field, axes, method, kernel, pixel_size)

    if ssim is not None:
        return _least(chosen, field, ssim)
    if budget is None:
        return chosen(selector.share and math.ceil(selector.share * math.prod(field.grid)))
    return chosen(points_of(budget, math.prod(field.grid)))


def points_of(budget: float | str, pixels: int) -> int:
    """Read a budget: ``"3%"`` of the pixels, rounded, or a number of points.

    Raises
    ------
    UserError
        If it is none, or above the pixels.
    """
    number, is_share = parsed_budget(budget)
    if is_share:
        return max(round(pixels * number / 100), 1)
    if number > pixels:
        raise UserError(f"a budget of {budget} points; expected at most the {pixels} pixels of the image")
    return int(number)


def parsed_budget(budget: float | str) -> tuple[float, bool]:
    """Read a budget without the image: a number, and whether it is one of per cent.

    Raises
    ------
    UserError
        If it is neither a whole number from 1 nor a share above 0% up to 100%.
    """
    text = str(budget).strip()
    is_share = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not (0 < number <= 100 if is_share else number >= 1 and number.is_integer()):
        raise UserError(
            f"a budget of {text!r}; expected a number of points such as 500, from 1, or a share of the "
            "pixels such as 3%, above 0% up to 100%"
        )
    return number, is_share


def check_ssim(ssim: float) -> None:
    """Refuse a likeness that no image, or only the whole image has.

    Raises
    ------
    UserError
        If it is not between 0 and 1.
    """
    if not 0 < ssim < 1:
        raise UserError(f"an SSIM of {ssim}; expected a number above 0 and below 1, such as 0.9")


def suggested(image: np.ndarray | Store, axes: str) -> tuple[str, str]:
    """Choose a method by what an image looks like, and say why.

    Returns
    -------
    method : str
        ``"pursuit"`` where an image of one channel is mostly black, and much of the rest is white;
        ``"hybrid"`` otherwise.
    reason : str
        A sentence.

    Raises
    ------
    UserError
        If the image is empty or of another type.
    """
    pixels = _with_channels(image, axes)
    _check(pixels, axes, "hybrid", kernels.pixel())
    if pixels.shape[-1] > 1:
        return "hybrid", f"hybrid: the image has {pixels.shape[-1]} channels, whose points have grey values."
    lit, white = _lit_and_white(pixels)
    if not lit:
        return "hybrid", "hybrid: all pixels of the image are equal."
    if white >= WHITE_SHARE and lit <= LIT_SHARE:
        return (
            "pursuit",
            f"pursuit: the image is nearly black and white ({lit:.0%} of it is not black, and {white:.0%} of "
            "that is white), so that points need no grey values.",
        )
    return (
        "hybrid",
        f"hybrid: the image has grey levels ({lit:.0%} of it is not black, but only {white:.0%} of that is "
        "white), which a thumbnail and signed points keep best.",
    )


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
    bands = partial(_bands, field.image)
    (median,) = np.rint(statistics.percentiles(bands, field.image.dtype, (50,)))
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
    counts = statistics.histogram(partial(_bands, field.image))[0]
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


def likeness(points: KeyPoints, field: Field) -> float:
    """Compare an image with what its points rebuild, band by band: SSIM 11 x 11, averaged over channels.

    White is the image's greatest value, black its least; planes smaller than the window are compared by the
    global SSIM.
    """
    *_, height, width = field.grid
    small = min(height, width) < WINDOW
    total = weight = 0.0
    for plane in field.planes():
        for rows in cuts(height, height) if small else _overlapping(height):
            shown = rebuild_plane(points, plane, rows, slice(0, width)).astype(np.float64)
            original = np.moveaxis(field.read(plane, rows, slice(0, width)), -1, 0).astype(np.float64)
            spans = field.span[:, None, None]
            score = (ssim_global if small else ssim_11)(original / spans, shown / spans)
            windows = 1 if small else rows.stop - rows.start - WINDOW + 1
            total, weight = total + score * windows, weight + windows
    return total / weight


def _least(chosen: Callable[[int], KeyPoints], field: Field, ssim: float) -> KeyPoints:
    """Find the least number of points that are enough, by doubling and then by halving what is between."""
    pixels = math.prod(field.grid)
    below, count, best = 0, 1, None
    while best is None:
        points = chosen(count)
        reached = likeness(points, field)
        if reached >= ssim:
            best = points
        elif count == pixels or len(points) < count:
            raise UserError(
                f"an SSIM of {ssim} is not reached: {len(points)} points, all that {points.method} has, give "
                f"{reached:.3f}. Ask for less, or choose another method"
            )
        else:
            below, count = count, min(2 * count, pixels)
    while count - below > max(1, count // 32):
        middle = (below + count) // 2
        points = chosen(middle)
        if likeness(points, field) >= ssim:
            count, best = middle, points
        else:
            below = middle
    return best


def _with_channels(image: np.ndarray | Store, axes: str) -> np.ndarray | Store:
    """Give an image its axis of channels, which a store has in any case."""
    return image if axes.endswith("C") or isinstance(image, Store) else image[..., None]


def _check(pixels: np.ndarray | Store, axes: str, method: str, kernel: Kernel) -> None:
    mistakes = []
    grid = axes.removesuffix("C")
    if not grid.endswith("YX") or len(pixels.shape) != len(grid) + 1:
        mistakes.append(
            f"axes {axes} of an image of shape {pixels.shape}; expected Y and X last, or before C"
        )
    if str(pixels.dtype) not in DTYPES:
        mistakes.append(
            f"the image is read as {pixels.dtype}; expected {' or '.join(DTYPES)}. Save it with 8 or 16 "
            "bits and without sign"
        )
    if not math.prod(pixels.shape):
        mistakes.append(f"the image of shape {pixels.shape} is empty")
    elif min(pixels.shape[-3:-1]) < len(kernel.values):
        height, width = pixels.shape[-3:-1]
        side = len(kernel.values)
        mistakes.append(
            f"the kernel of {side} x {side} pixels is larger than the image of {height} x {width}; choose "
            "bitmap, whose kernel is a pixel, or keep so small an image as it is"
        )
    if pixels.shape[-1] > 1 and SELECTORS[method].grey_only:
        grey_too = ", ".join(name for name, each in SELECTORS.items() if not each.grey_only)
        mistakes.append(
            f"the image has {pixels.shape[-1]} channels, and {method} takes grey images; choose one of "
            f"{grey_too}, or one channel"
        )
    if mistakes:
        raise UserError(*mistakes)


def _keypoints(
    selection: Selection,
    field: Field,
    axes: str,
    method: str,
    kernel: Kernel,
    pixel_size: tuple[float | None, ...] | None,
) -> KeyPoints:
    channels = axes.endswith("C")
    base = selection.base
    if base is not None and not channels:
        base = Base(base.factor, base.encoded, base.pixels[..., 0])
    return KeyPoints(
        method=method,
        axes=axes,
        shape=tuple(field.image.shape if channels else field.grid),
        dtype=str(field.image.dtype),
        positions=np.stack(np.unravel_index(selection.index, field.grid), axis=-1).astype(np.int64),
        amplitudes=selection.amplitudes,
        kernel=kernel,
        offset=np.asarray(selection.offset, np.float64),
        step=np.asarray(selection.step, np.float64),
        limits=np.stack([field.low, field.high], axis=-1).astype(np.int64),
        base=base,
        pixel_size=pixel_size,
    )


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
    counts = statistics.histogram(partial(_bands, field.image))[0]
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


def _extremes(pixels: np.ndarray | Store) -> tuple[np.ndarray, np.ndarray]:
    low, high = statistics.extremes(partial(_bands, pixels))
    return low.astype(np.float64), high.astype(np.float64)


def _lit_and_white(pixels: np.ndarray | Store) -> tuple[float, float]:
    """Give the share of pixels that are not black, and the share of white among these."""
    counts = statistics.histogram(partial(_bands, pixels))[0]
    values = np.flatnonzero(counts)
    range_ = np.linspace(0, 1, values[-1] - values[0] + 1) if len(values) > 1 else np.zeros(1)
    counts = counts[values[0] : values[-1] + 1]
    lit, white = counts[range_ > BLACK].sum(), counts[range_ > WHITE].sum()
    return float(lit / counts.sum()), float(white / max(lit, 1))


def _bands(pixels: np.ndarray | Store) -> Iterator[np.ndarray]:
    """Read an image in bands of rows: (Y, X, C) each."""
    whole = Field(pixels, np.zeros(1), np.ones(1))
    height, width = whole.grid[-2:]
    for plane in whole.planes():
        for rows in cuts(height, BAND):
            yield whole.read(plane, rows, slice(0, width))


def _overlapping(height: int) -> Iterator[slice]:
    """Cut rows into bands that share what a window needs: each window lies in one of them."""
    step = BAND - WINDOW + 1
    return (slice(start, min(start + BAND, height)) for start in range(0, height - WINDOW + 1, step))
