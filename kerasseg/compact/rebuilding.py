"""From key points to the image again: whole, or a region of it from the points near by."""

from __future__ import annotations

import bisect
import itertools

import cv2
import numpy as np

from kerasseg.compact.kernels import spread
from kerasseg.compact.keypoints import Base, KeyPoints
from kerasseg.images.stores.blocks import cuts

BAND = 256  # rows that are rebuilt in one go

Region = tuple[slice, ...]


def rebuild(points: KeyPoints, region: Region | None = None) -> np.ndarray:
    """Build the image, or a region of it.

    Parameters
    ----------
    points : KeyPoints
    region : tuple of slice, optional
        One for each axis but C, within the image, of step 1; default is the whole image.

    Returns
    -------
    numpy.ndarray
        With the axes and the type of the image: the region is to the last bit what lies there in the whole.
    """
    region = region or (slice(None),) * len(points.grid)
    starts, stops, _ = zip(*map(slice.indices, region, points.grid), strict=True)
    lengths = [stop - start for start, stop in zip(starts, stops, strict=True)]
    image = np.empty((*lengths, points.channels), points.dtype)
    for plane in itertools.product(*map(range, lengths[:-2])):
        there = tuple(start + index for start, index in zip(starts, plane, strict=False))
        for rows in cuts(lengths[-2], BAND):
            band = slice(starts[-2] + rows.start, starts[-2] + rows.stop)
            pixels = rebuild_plane(points, there, band, slice(starts[-1], stops[-1]))
            image[(*plane, rows)] = np.moveaxis(pixels, 0, -1)
    return image if points.has_channels else image[..., 0]


def rebuild_plane(points: KeyPoints, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
    """Build a rectangle of one plane: (C, Y, X) of the image's type."""
    spikes = _spikes(points, plane, rows, columns)
    inside = (slice(points.kernel.radius, -points.kernel.radius or None),) * 2
    channels = []
    for channel, limits in enumerate(points.limits):
        values = spread(spikes[channel], points.kernel)[inside]
        values *= points.step[channel]
        values += points.offset[channel]
        if points.base is not None:
            values += enlarge(_base_plane(points, plane, channel), points.base.factor, rows, columns)
        np.rint(values, out=values)
        channels.append(np.clip(values, *limits, out=values).astype(points.dtype))
    return np.stack(channels)


def enlarge(small: np.ndarray, factor: int, rows: slice, columns: slice) -> np.ndarray:
    """Enlarge a rectangle of a small plane by cubic convolution, pixels being squares: (Y, X) float64.

    Parameters
    ----------
    small : numpy.ndarray
        (h, w) of any type.
    factor : int
        A power of two: then all weights and sums are exact, and a rectangle is that of the whole.
    rows, columns : slice
        Of the large plane.

    Notes
    -----
    Keys 1981, doi:10.1109/TASSP.1981.1163711, with the slope a = -3/4 that OpenCV has; the border's pixels
    go on beyond it.
    """
    near = [slice(max(part.start // factor - 2, 0), -(-part.stop // factor) + 2) for part in (rows, columns)]
    few = small[tuple(near)].astype(np.float64)
    large = cv2.resize(few, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    y, x = (part.start - around.start * factor for part, around in zip((rows, columns), near, strict=True))
    return large[y : y + rows.stop - rows.start, x : x + columns.stop - columns.start]


def _base_plane(points: KeyPoints, plane: tuple[int, ...], channel: int) -> np.ndarray:
    pixels: Base = points.base.pixels[plane]
    return pixels[..., channel] if points.has_channels else pixels


def _spikes(points: KeyPoints, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
    """Put the amplitudes of points that reach a rectangle where they are: (C, Y + 2 r, X + 2 r) float64."""
    reach = points.kernel.radius
    first, last = (
        bisect.bisect_left(points.positions, (*plane, row), key=lambda position: tuple(position[:-1]))
        for row in (rows.start - reach, rows.stop + reach)
    )
    y, x = points.positions[first:last, -2] - rows.start + reach, points.positions[first:last, -1]
    x = x - columns.start + reach
    width = columns.stop - columns.start + 2 * reach
    near = (x >= 0) & (x < width)
    spikes = np.zeros((points.channels, rows.stop - rows.start + 2 * reach, width))
    amplitudes = 1 if points.amplitudes is None else points.amplitudes[first:last][near].T
    spikes[:, y[near], x[near]] = amplitudes
    return spikes
