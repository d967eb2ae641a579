"""How many points of an image are kept, and by which way: an exact budget, or as many as a likeness takes.

points = select(image, "YX", "hybrid", budget="1%")
again = rebuild(points)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from kerasseg.compact import kernels
from kerasseg.compact.field import BAND, Field
from kerasseg.compact.keypoints import DTYPES, Base, Kernel, KeyPoints
from kerasseg.compact.rebuilding import rebuild_plane
from kerasseg.compact.selectors import SELECTORS, Selection
from kerasseg.errors import UserError, unknown
from kerasseg.images import statistics
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store
from kerasseg.metrics.similarity import WINDOW, ssim_11, ssim_global

BLACK, WHITE = 0.1, 0.9  # of an image's range
WHITE_SHARE, LIT_SHARE = 0.25, 0.5


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
    field = Field.of(pixels)

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
    lit, white = _lit_and_white(Field.of(pixels))
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


def _lit_and_white(field: Field) -> tuple[float, float]:
    """Give the share of pixels that are not black, and the share of white among these."""
    counts = statistics.histogram(field.bands)[0]
    greys = (np.arange(len(counts)) - field.low) / field.span
    lit, white = counts[greys > BLACK].sum(), counts[greys > WHITE].sum()
    return float(lit / counts.sum()), float(white / max(lit, 1))


def _overlapping(height: int) -> Iterator[slice]:
    """Cut rows into bands that share what a window needs: each window lies in one of them."""
    step = BAND - WINDOW + 1
    return (slice(start, min(start + BAND, height)) for start in range(0, height - WINDOW + 1, step))
