"""What a file says about its image before any pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.embedded import Embedded

# Pillow refuses more in PNG and JPEG (decompression bombs); the same limit holds for every format.
MAX_PIXELS = 178_956_970


@dataclass(frozen=True)
class Header:
    """An image's size and type, upright as :func:`kerasseg.images.files.read` returns it.

    Attributes
    ----------
    path : Path or Embedded
        The file.
    size : tuple of int
        Height and width in pixels.
    channels : int
        Length of the last axis.
    dtype : numpy.dtype
        Type of a pixel: uint8, uint16 or float32.
    pages : int
        Planes that the file holds; 1 unless it is a stack.
    """

    path: Path | Embedded
    size: tuple[int, int]
    channels: int
    dtype: np.dtype
    pages: int = 1


def sane(header: Header) -> Header:
    """Return the header, or refuse an image without pixels or with absurdly many.

    Raises
    ------
    UserError
        If a side is zero or the image has more than ``MAX_PIXELS`` pixels.
    """
    height, width = header.size
    if height * width * header.channels == 0:
        raise UserError(f"{header.path}: the image is {height} x {width} pixels; expected at least 1 x 1")
    if height * width > MAX_PIXELS:
        raise UserError(too_large(header.path, f"{height} x {width} pixels"))
    return header


def too_large(path: Path | Embedded, given: str) -> str:
    """Say that an image is larger than what is read whole."""
    return f"{path}: the image is {given}; expected at most {MAX_PIXELS:,} pixels. Cut it into smaller images"
