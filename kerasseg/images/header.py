"""What a file says about its image before any pixel is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kerasseg.errors import UserError

# Pillow refuses more in PNG and JPEG (decompression bombs); the same limit holds for every format.
MAX_PIXELS = 178_956_970
MAX_VOXELS = 2**30  # of a volume that is read whole: 4 GiB a channel as float32


class Origin(Protocol):
    """What an image is read from, and named by in messages: a path, a file inside another, or a volume."""

    def stat(self) -> Any:
        """Give its length in bytes as ``st_size``."""

    def read_bytes(self) -> bytes:
        """Read all of it as it is stored."""


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
    """

    path: Origin
    size: tuple[int, ...]
    channels: int
    dtype: np.dtype
    pages: int = 1
    spacing: tuple[float, ...] | None = None
    lossy: bool = False


def sane(header: Header) -> Header:
    """Return the header, or refuse an image without pixels or with absurdly many.

    Raises
    ------
    UserError
        If a side is zero, or there are more than ``MAX_PIXELS`` pixels, of a volume ``MAX_VOXELS``.
    """
    given = f"{' x '.join(map(str, header.size))} pixels"
    if math.prod(header.size) * header.channels == 0:
        raise UserError(f"{header.path}: the image is {given}; expected at least one pixel a side")
    most = MAX_PIXELS if len(header.size) == 2 else MAX_VOXELS
    if math.prod(header.size) > most:
        raise UserError(too_large(header.path, given, most))
    return header


def too_large(path: Origin, given: str, most: int = MAX_PIXELS) -> str:
    """Say that an image is larger than what is read whole."""
    return f"{path}: the image is {given}; expected at most {most:,} pixels. Cut it into smaller images"
