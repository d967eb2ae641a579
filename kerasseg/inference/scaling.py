"""Images at another scale: what the network sees is resampled as it is read, and its answers as they come.

By area where an image shrinks and linearly where it grows, as `kerasseg.images.preprocessing.resize` does.
What a pixel is made of depends on its place in the whole image alone, so a region is what the whole has
there, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasseg.inference.blending import Bands
from kerasseg.inference.tiled import Pixels


@dataclass(frozen=True)
class Resampled:
    """What can be sliced like an array of an image (Y, X, C) at another size.

    Attributes
    ----------
    pixels : Pixels
        The image, of which a region is read for a region.
    size : tuple of int
        Height and width wanted.
    """

    pixels: Pixels
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return (*self.size, self.pixels.shape[-1])

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        axes = [Axis(length, new) for length, new in zip(self.pixels.shape, self.size, strict=False)]
        region = [slice(*part.indices(side)[:2]) for part, side in zip(region, self.size, strict=True)]
        pixels = self.pixels[tuple(axis.source(part) for axis, part in zip(axes, region, strict=True))]
        for number, (axis, part) in enumerate(zip(axes, region, strict=True)):
            pixels = axis.resampled(pixels, number, part)
        return pixels


@dataclass(frozen=True)
class Axis:
    """An axis whose pixels become more or fewer.

    Attributes
    ----------
    length : int
        Pixels that there are.
    new : int
        Pixels wanted.
    """

    length: int
    new: int

    @property
    def side(self) -> float:
        """How long a new pixel is in old ones."""
        return self.length / self.new

    def ends(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Tell where the old pixels begin and end of which each of some new ones is made: (n,) int each."""
        start, stop = self._span(part)
        first = np.floor(start).astype(int).clip(0, self.length - 1)
        return first, np.ceil(stop).astype(int).clip(first + 1, self.length)

    def source(self, part: slice) -> slice:
        """Give all old pixels of which some new ones are made."""
        (first, _), (_, last) = (self.ends(slice(row, row + 1)) for row in (part.start, part.stop - 1))
        return slice(int(first[0]), int(last[0]))

    def resampled(self, pixels: np.ndarray, axis: int, part: slice) -> np.ndarray:
        """Make some new pixels along an axis of an array.

        Parameters
        ----------
        pixels : numpy.ndarray, float32
            With `source` of the part along the axis.
        axis : int
        part : slice
            Of the new pixels.

        Returns
        -------
        numpy.ndarray, float32
            With the part along the axis.
        """
        first, last = self.ends(part)
        start, stop = (ends[:, None] for ends in self._span(part))
        old = first[:, None] + np.arange(math.ceil(max(self.side, 1)) + 1)
        weights = (np.minimum(old + 1, stop) - np.maximum(old, start)).clip(0)
        weights[old >= last[:, None]] = 0
        weights /= weights.sum(axis=1, keepdims=True)
        along = [-1 if number == axis else 1 for number in range(pixels.ndim)]
        made = np.float32(0)
        for weight, place in zip(weights.T.astype(np.float32), old.T - self.source(part).start, strict=True):
            made += weight.reshape(along) * pixels.take(place, axis, mode="clip")
        return made

    def _span(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Give from where to where old pixels count, whose first reaches from 0 to 1: (n,) float64 each.

        Those that a new pixel covers; linear interpolation is the same for one as long as an old pixel.
        """
        middles, half = (np.arange(part.start, part.stop) + 0.5) * self.side, max(self.side, 1) / 2
        return middles - half, middles + half


def resampled_bands(bands: Bands, seen: Sequence[int], size: Sequence[int], first_row: int = 0) -> Bands:
    """Bring answers in bands of rows to another size; few more rows than those of a band are in memory.

    Parameters
    ----------
    bands : iterator of (slice, numpy.ndarray)
        Rows of what was seen, without a gap, with their (rows, X', K) float32; the first begins no later
        than what `first_row` is made of.
    seen, size : sequence of int
        Height and width of what was seen, and those wanted.
    first_row : int
        Where to begin, in rows of `size`.

    Yields
    ------
    tuple of (slice, numpy.ndarray)
        Rows from `first_row` on, with their (rows, X, K) float32.
    """
    down, across = (Axis(*lengths) for lengths in zip(seen, size, strict=True))
    first, last = down.ends(slice(0, size[0]))
    kept, start, row = None, 0, first_row
    for rows, band in bands:
        band = across.resampled(band, 1, slice(0, size[1]))
        kept, start = (band, rows.start) if kept is None else (np.concatenate([kept, band]), start)
        finished = int(np.searchsorted(last, rows.stop, side="right"))
        while row < finished:
            part = slice(row, min(row + len(band), finished))
            source = down.source(part)
            yield part, down.resampled(kept[source.start - start : source.stop - start], 0, part)
            row = part.stop
        if row < size[0]:
            needed = min(int(first[row]), rows.stop)
            kept, start = kept[needed - start :], needed
