"""Image files of the formats that microscopy uses, told apart by their content and not by their name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from types import ModuleType

import numpy as np

from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import folders, raster, tiff
from kerasseg.images.formats import scenes
from kerasseg.images.headers import MAX_PIXELS, Embedded, Header, check_whole

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "WRITTEN",
    "Header",
    "find",
    "header",
    "is_palette",
    "read",
    "read_values",
    "write",
    "write_atomically",
]

_TIFF_SUFFIXES = (".tif", ".tiff")
WRITTEN = (".png", ".jpg", ".jpeg", ".bmp", *_TIFF_SUFFIXES)
ALSO_TIFF = (".lsm", ".stk", ".svs", ".ndpi", ".btf", ".tf8")
SUFFIXES = (*WRITTEN, *ALSO_TIFF, *scenes.SUFFIXES)


def header(path: Path | Embedded) -> Header:
    """Read what a file says about its image, without decoding a pixel.

    Parameters
    ----------
    path : Path or Embedded
        A PNG, JPEG, BMP or TIFF file, or one of `kerasseg.images.formats`.

    Returns
    -------
    Header
        Size (upright), channels (a palette counts as its colours), type and pages.

    Raises
    ------
    UserError
        If the file is missing, empty, truncated, not an image or without pixels; or if it can only be read
        whole, and is larger than ``MAX_PIXELS``.
    """
    path = _at_hand(path)
    return format_of(path).header(path)


def read(path: Path | Embedded) -> np.ndarray:
    """Read a 2-D image upright.

    Parameters
    ----------
    path : Path or Embedded
        A PNG, JPEG, BMP or TIFF file, or one of `kerasseg.images.formats`. EXIF orientation is obeyed;
        palettes become colours; black and white become 0 and 255; integers of more than 16 bits
        and all floats become float32.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C), uint8, uint16 or float32

    Raises
    ------
    UserError
        As :func:`header`, and if the file is a stack of planes, its pixels cannot be decoded, or they are
        more than ``MAX_PIXELS``.
    """
    path = _at_hand(path)
    return _with_channel_axis(_checked(path).read(path))


def read_values(path: Path) -> np.ndarray:
    """Read the very numbers that a file stores, as masks and labels need them.

    Parameters
    ----------
    path : Path
        As in :func:`read`; but a palette's indices are returned instead of its colours, and numbers keep
        their type.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)

    Raises
    ------
    UserError
        As :func:`read`.
    """
    path = _at_hand(path)
    return _with_channel_axis(_checked(path).read_values(path))


def is_palette(path: Path) -> bool:
    """Tell whether :func:`read_values` returns indices: into a palette, or class ids that a file calls so.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    return format_of(Path(path)).is_palette(Path(path))


def write(path: Path, image: np.ndarray) -> None:
    """Write an image in the format that the suffix names; the file appears when it is complete.

    Parameters
    ----------
    path : Path
        TIFF takes any type and number of channels; PNG uint8 and uint16, JPEG and BMP uint8, of 1, 3 or 4
        channels.
    image : numpy.ndarray, shape (Y, X) or (Y, X, C)
        The pixels.

    Raises
    ------
    UserError
        If the suffix is unknown, the format cannot hold the image, or the disk is full.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    planar = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    _check_writable(path, suffix, planar)
    with write_atomically(path) as temporary:
        tiff.write(temporary, planar) if suffix in _TIFF_SUFFIXES else raster.write(temporary, planar, suffix)


def find(folder: Path, suffixes: Collection[str] = SUFFIXES, known: Collection[str] = ()) -> list[Path]:
    """List the images, or the files with other suffixes, in a folder: see `kerasseg.images.folders.find`."""
    return folders.find(folder, suffixes, known)


def _at_hand(path: Path | Embedded) -> Path | Embedded:
    return path.at_hand() if isinstance(path, Embedded) else Path(path)


def format_of(path: Path | Embedded) -> ModuleType:
    """Choose the reader, `raster`, `tiff` or `formats.scenes`, by the file's first bytes.

    Raises
    ------
    UserError
        If there is no such file, or nothing in it.
    """
    if isinstance(path, Embedded):
        return raster
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    with path.open("rb") as file:
        start = file.read(scenes.HEADER_BYTES)
    if not start:
        raise UserError(f"{path}: the file is empty; expected an image")
    if start.startswith(tiff.MAGIC):
        return tiff
    if start.startswith(raster.MAGIC):
        return raster
    return raster if scenes.recognised(start, path) is None else scenes


def _checked(path: Path | Embedded) -> ModuleType:
    """Choose the reader after the header was found sane, so that no bomb is ever decoded."""
    reader = format_of(path)
    check_whole(reader.header(path))
    return reader


def _with_channel_axis(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _check_writable(path: Path, suffix: str, image: np.ndarray) -> None:
    if suffix not in WRITTEN:
        raise UserError(
            f"{path}: {suffix or 'a file without suffix'} cannot be written; expected {', '.join(WRITTEN)}"
        )
    channels = image.shape[2] if image.ndim == 3 else 1
    types = {".png": ("uint8", "uint16")}.get(suffix, ("uint8",))
    if suffix not in _TIFF_SUFFIXES and (image.dtype.name not in types or channels not in (1, 3, 4)):
        given = f"{channels} channels of {image.dtype}"
        raise UserError(
            f"{path}: {suffix} cannot hold {given}; expected 1, 3 or 4 of {' or '.join(types)}, or TIFF"
        )
