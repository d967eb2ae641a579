"""What files say about their images before any pixel is decoded: size, type, and which way is up."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Protocol

import numpy as np

from kerasseg.errors import UserError

# Pillow refuses more in PNG and JPEG (decompression bombs); the same limit holds for every format.
MAX_PIXELS = 178_956_970
MAX_VOXELS = 2**30  # of a volume that is read whole: 4 GiB a channel as float32


class Origin(Protocol):
    """What an image is read from, and named by in messages: a path, a file inside another, or a volume."""

    def stat(self) -> Any:
        """Give its length in bytes as ``st_size``."""


@dataclass(frozen=True)
class Header:
    """An image's size and type, upright as :func:`kerasseg.images.files.read` returns it.

    Attributes
    ----------
    path : Origin
        The file.
    size : tuple of int
        Height and width in pixels; of a volume depth, height and width.
    channels : int
        Length of the last axis.
    dtype : numpy.dtype
        Type of a pixel: uint8, uint16 or float32.
    pages : int
        Planes that the file holds; 1 unless it is a stack where a single image was asked for.
    spacing : tuple of float or None
        Micrometres from one voxel of a volume to the next (z, y, x), where the file says it of all three.
    lossy : bool
        Whether the pixels were compressed with loss, so that none need be the number that was meant.
    in_blocks : bool
        Whether parts are read without the rest, so that the image may be of any size.
    """

    path: Origin
    size: tuple[int, ...]
    channels: int
    dtype: np.dtype
    pages: int = 1
    spacing: tuple[float, ...] | None = None
    lossy: bool = False
    in_blocks: bool = False


def sane(header: Header) -> Header:
    """Return the header, or refuse an image without pixels or with absurdly many.

    Raises
    ------
    UserError
        If a side is zero, or it would be read whole and is too large for that.
    """
    if math.prod(header.size) * header.channels == 0:
        given = " x ".join(map(str, header.size))
        raise UserError(f"{header.path}: the image is {given} pixels; expected at least one pixel a side")
    if not header.in_blocks:
        check_whole(header)
    return header


def check_whole(header: Header) -> None:
    """Refuse to read an image whole that memory may not hold.

    Raises
    ------
    UserError
        If there are more than ``MAX_PIXELS`` pixels, of a volume ``MAX_VOXELS``.
    """
    if not is_readable_whole(header.size):
        most = MAX_PIXELS if len(header.size) == 2 else MAX_VOXELS
        raise UserError(too_large(header.path, f"{' x '.join(map(str, header.size))} pixels", most))


def is_readable_whole(size: Sequence[int]) -> bool:
    """Tell whether memory may hold an image, or a volume, of a size."""
    return math.prod(size) <= (MAX_PIXELS if len(size) == 2 else MAX_VOXELS)


def too_large(path: Origin, given: str, most: int = MAX_PIXELS) -> str:
    """Say that an image is larger than what is read whole."""
    return f"{path}: the image is {given}; expected at most {most:,} pixels. Cut it into smaller images"


def intensity_type(dtype: np.dtype) -> np.dtype:
    """Choose what holds stored numbers: uint8, uint16, or float32 for all that are larger or not whole.

    Raises
    ------
    ValueError
        If they are not real numbers.
    """
    if dtype.kind not in "buif":
        raise ValueError(f"pixels of type {dtype}")
    whole = {"bool": np.uint8, "uint8": np.uint8, "uint16": np.uint16}
    return np.dtype(whole.get(dtype.name, np.float32))


def as_intensities(values: np.ndarray) -> np.ndarray:
    """Bring stored numbers of any shape to their :func:`intensity_type`; bits become 0 and 255."""
    pixels = values.astype(np.uint8) * 255 if values.dtype == bool else values
    return pixels.astype(intensity_type(values.dtype), copy=False)


TAG = 274  # of EXIF's orientation, how a camera says which way is up; the same number in EXIF and TIFF
TURNED = frozenset({5, 6, 7, 8})  # those that swap height and width

# Axes that run backwards, once height and width are swapped where they must be.
BACKWARDS = {2: "X", 3: "YX", 4: "Y", 5: "", 6: "X", 7: "YX", 8: "Y"}


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image upright.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X) or (Y, X, C)
        As stored.
    orientation : int
        EXIF's orientation, 1 to 8; anything else counts as 1, upright already.

    Returns
    -------
    numpy.ndarray
        The image as it is meant to be seen, contiguous.
    """
    if orientation not in BACKWARDS:
        return image
    turned = image.swapaxes(0, 1) if orientation in TURNED else image
    rows, columns = (slice(None, None, -1 if axis in BACKWARDS[orientation] else 1) for axis in "YX")
    return np.ascontiguousarray(turned[rows, columns])


@dataclass(frozen=True)
class Embedded:
    """A PNG, JPEG or BMP inside another file.

    Attributes
    ----------
    file : Path
        The file that holds it.
    read_bytes : callable
        Reads the image file's bytes out of it, each time anew: a list of samples holds no pixels.
    """

    file: Path
    read_bytes: Callable[[], bytes]

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.file} (its embedded image)"

    def at_hand(self) -> Embedded:
        """Return the same with its bytes in memory, for those who open it more than once."""
        content = self.read_bytes()
        return Embedded(self.file, lambda: content)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading bytes, as a path does."""
        return io.BytesIO(self.read_bytes())

    def stat(self) -> SimpleNamespace:
        """Give its length as ``st_size``, as a path does."""
        return SimpleNamespace(st_size=len(self.read_bytes()))
