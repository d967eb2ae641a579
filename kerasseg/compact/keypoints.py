"""Key points of an image: what selectors return, what a file stores, and what an image is rebuilt from.

A pixel of the rebuilt image, of the channel `c`, is::

    value = base + offset[c] + step[c] * sum over points p of amplitude[p, c] * kernel[pixel - p]

rounded and clipped to ``limits[c]``. The kernel lies in the plane (Y, X): planes of a stack or of a time
series share nothing but the budget. The base is zero where there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import imagecodecs
import numpy as np

from kerasseg.errors import UserError

DTYPES = ("uint8", "uint16")


class _Equal:
    """Dataclasses that hold arrays: equal where all their fields are."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)
        )


@dataclass(frozen=True, eq=False)
class Kernel(_Equal):
    """What one point becomes in the image.

    Attributes
    ----------
    name : {"psf", "gaussian", "mean", "pixel"}
        Where the values come from; `pixel` is 1 x 1, as a bitmap needs it.
    norm : {"sum", "peak"}
        Whether the values sum to 1, or their greatest is 1.
    values : np.ndarray
        (K, K) float32, K odd, not negative.
    """

    name: str
    norm: str
    values: np.ndarray

    @property
    def radius(self) -> int:
        """How many pixels far a point reaches."""
        return len(self.values) // 2


@dataclass(frozen=True, eq=False)
class Base(_Equal):
    """A small copy of the image, from which the points are only the difference.

    Attributes
    ----------
    factor : int
        Pixels of the image, along Y and along X, in one of the copy; the last may reach beyond the image.
    encoded : bytes
        The copy as a grey JPEG XL image, lossy or not: planes and channels, (..., C) with C first, one
        below the other.
    pixels : np.ndarray
        What `encoded` decodes to, with the image's axes and dtype: (..., ceil(Y / factor), ceil(X / factor))
        and C last where the image has it.
    """

    factor: int
    encoded: bytes
    pixels: np.ndarray

    @classmethod
    def encode(cls, factor: int, pixels: np.ndarray, *, channels: bool, distance: float = 0) -> Base:
        """Compress a small copy.

        Parameters
        ----------
        factor : int
        pixels : np.ndarray
            (..., h, w), or (..., h, w, C) with `channels`, uint8 or uint16.
        channels : bool
            Whether the last axis is that of channels.
        distance : float
            JPEG XL's distance: 0 is lossless, 1 looks the same, 15 is coarse.
        """
        planes = np.moveaxis(pixels, -1, 0) if channels else pixels
        tall = np.ascontiguousarray(planes.reshape(-1, planes.shape[-1]))
        encoded = imagecodecs.jpegxl_encode(tall, lossless=distance == 0, distance=distance or None, effort=7)
        return cls.decode(factor, encoded, pixels.shape, pixels.dtype, channels=channels)

    @classmethod
    def decode(
        cls, factor: int, encoded: bytes, shape: tuple[int, ...], dtype: np.dtype, *, channels: bool
    ) -> Base:
        """Read a small copy of a known shape.

        Raises
        ------
        UserError
            If the bytes are no such image.
        """
        planes = (shape[-1], *shape[:-1]) if channels else shape
        tall = np.empty((math.prod(planes[:-1]), planes[-1]), dtype)
        try:
            imagecodecs.jpegxl_decode(encoded, out=tall)  # which refuses another size before it takes memory
        except Exception as error:  # imagecodecs has a class of its own for each way to fail
            raise UserError(f"the base image cannot be decoded ({error})") from error
        pixels = tall.reshape(planes)
        return cls(factor, encoded, np.moveaxis(pixels, 0, -1) if channels else pixels)


@dataclass(frozen=True, eq=False)
class KeyPoints(_Equal):
    """Few points of an image, and all that is needed to build it again.

    Attributes
    ----------
    method : str
        The selector, a name of `kerasseg.compact.selectors.SELECTORS`.
    axes : str
        Of the image, such as ``"YX"``, ``"YXC"`` or ``"TZYXC"``; Y and X come last, or before C.
    shape : tuple of int
        Of the image, an entry for each of `axes`.
    dtype : {"uint8", "uint16"}
        Of the image.
    positions : np.ndarray
        (N, D) int64, D the number of `axes` without C: in C order, none twice.
    amplitudes : np.ndarray or None
        (N, C) int32, C being 1 without that axis; None where all are 1.
    kernel : Kernel
        What one point becomes.
    offset, step : np.ndarray
        (C,) float64, in the units of the image: its value without points, and what an amplitude of 1 is.
    limits : np.ndarray
        (C, 2) int64: the least and the greatest value of the image, between which it is rebuilt.
    base : Base or None
        What the points are added to.
    pixel_size : tuple of float or None
        Micrometres along those of the axes Z, Y, X that the image has; None in it where one is unknown.
    """

    method: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    positions: np.ndarray
    amplitudes: np.ndarray | None
    kernel: Kernel
    offset: np.ndarray
    step: np.ndarray
    limits: np.ndarray
    base: Base | None = None
    pixel_size: tuple[float | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def grid(self) -> tuple[int, ...]:
        """The image's shape without C: (D,)."""
        return self.shape[:-1] if self.has_channels else self.shape

    @property
    def has_channels(self) -> bool:
        """Whether the last axis is C."""
        return self.axes.endswith("C")

    @property
    def channels(self) -> int:
        """Channels of the image; 1 without that axis."""
        return self.shape[-1] if self.has_channels else 1

    @property
    def share(self) -> float:
        """Points per pixel, from 0 to 1."""
        return len(self) / math.prod(self.grid)
