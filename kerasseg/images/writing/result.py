"""Results of any size, on their way into a file: what both OME-TIFF and OME-Zarr ask of them.

What is written lies in an array that can be cut by rows, such as one in a file; a few hundred rows of it are
in memory at a time, at each of the sizes of its pyramid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.images.calibration import PixelSize
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.preprocessing import resize

SMALLEST = 512  # a level that is no larger along its longer side is the last
ROWS = 128  # made at once: each level asks the larger one for twice as many, and none for a whole image


class Plane(Protocol):
    """What can be cut by rows, such as a memory-mapped array (Y, X)."""

    shape: tuple[int, int]
    dtype: np.dtype

    def __getitem__(self, rows: slice) -> np.ndarray: ...


def nearest(rows: np.ndarray) -> np.ndarray:
    """Take one pixel of each 2 x 2, as masks and labels need it: no id is made up."""
    return rows[1::2, 1::2]


def area(rows: np.ndarray) -> np.ndarray:
    """Take the mean of each 2 x 2, as intensities and probabilities need it."""
    height, width = rows.shape
    return resize(rows[..., np.newaxis], (height // 2, width // 2))[..., 0]


SHRINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"nearest": nearest, "area": area}


class Halved:
    """A plane at half its size, rounded up: the last row and column count twice where there is an odd one.

    Parameters
    ----------
    plane : Plane
        The next larger level.
    shrink : callable
        From an even number of rows and columns to half of both.
    """

    def __init__(self, plane: Plane, shrink: Callable[[np.ndarray], np.ndarray]) -> None:
        self._plane, self._shrink = plane, shrink
        self.shape = tuple(-(-length // 2) for length in plane.shape)
        self.dtype = plane.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        return np.concatenate([self._rows(row, min(row + ROWS, stop)) for row in range(start, stop, ROWS)])

    def _rows(self, start: int, stop: int) -> np.ndarray:
        larger = self._plane[2 * start : min(2 * stop, self._plane.shape[0])]
        odd = [(0, length % 2) for length in larger.shape]
        return self._shrink(np.pad(larger, odd, mode="edge") if any(map(any, odd)) else larger)


def levels(plane: Plane, shrink: str) -> list[Plane]:
    """Make the levels of a plane, each half as large as the one before, down to ``SMALLEST``.

    Parameters
    ----------
    plane : Plane
        (Y, X), of any type.
    shrink : {"nearest", "area"}
        How four pixels become one.

    Returns
    -------
    list of Plane
        The plane itself, then smaller ones; nothing of them is computed before rows are asked for.

    Raises
    ------
    UserError
        If `shrink` is unknown.
    """
    if shrink not in SHRINKS:
        raise UserError(unknown("way to shrink", shrink, SHRINKS))
    pyramid = [plane]
    while max(pyramid[-1].shape) > SMALLEST:
        pyramid.append(Halved(pyramid[-1], SHRINKS[shrink]))
    return pyramid


AXES = ("YX", "ZYX", "YXC", "ZYXC")


@dataclass(frozen=True)
class Result:
    """What is to be written.

    Attributes
    ----------
    pixels : numpy.ndarray or OnDisk
        Mask or labels (Y, X) or (Z, Y, X), probabilities (Y, X, K) or (Z, Y, X, K); it is read once for each
        level and channel.
    axes : str
        YX, ZYX, YXC or ZYXC.
    pixel_size : tuple of float or None
        One for each axis in space, in micrometres; None where it is unknown.
    shrink : {"nearest", "area"}
        How four pixels become one in smaller levels: nearest for masks and labels, area for probabilities.
    channels : tuple of str, default ()
        Names of the channels, if there are any.

    Raises
    ------
    ValueError
        If these do not fit each other.
    """

    pixels: np.ndarray | OnDisk
    axes: str
    pixel_size: PixelSize
    shrink: str
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.axes not in AXES or len(self.axes) != self.pixels.ndim:
            raise ValueError(f"axes {self.axes!r} of an array of shape {self.pixels.shape}")
        if len(self.pixel_size) != len(self.space):
            raise ValueError(f"a pixel size {self.pixel_size} for the axes {self.space}")

    @property
    def space(self) -> str:
        """YX or ZYX."""
        return self.axes.removesuffix("C")

    @property
    def sizes(self) -> dict[str, float]:
        """The pixel size along the axes for which it is known, in micrometres."""
        known = zip(self.space, self.pixel_size, strict=True)
        return {axis: size for axis, size in known if size is not None}

    @property
    def planes(self) -> int:
        """Length of Z, or 1."""
        return self.pixels.shape[0] if "Z" in self.axes else 1

    @property
    def depth(self) -> int:
        """Length of C, or 1."""
        return self.pixels.shape[-1] if "C" in self.axes else 1

    def pyramid(self, plane: int, channel: int) -> list[Plane]:
        """Give one plane of one channel at all its sizes."""
        before = (plane,) if "Z" in self.axes else ()
        after = (channel,) if "C" in self.axes else ()
        return levels(_Cut(self.pixels, before, after), self.shrink)


class _Cut:
    """One plane of one channel (Y, X), cut by rows that are read when they are asked for."""

    def __init__(self, pixels: np.ndarray | OnDisk, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        self._pixels, self._before, self._after = pixels, before, after
        self.shape = pixels.shape[len(before) :][:2]
        self.dtype = pixels.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._pixels[(*self._before, rows, slice(None), *self._after)]
