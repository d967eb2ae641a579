"""Results of any size, on their way into a file: what both OME-TIFF and OME-Zarr ask of them.

What is written lies in an array that can be cut by rows, such as one in a file; a few hundred rows of it are
in memory at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasseg.images.calibration import PixelSize
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.writing.pyramid import Plane, levels

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
