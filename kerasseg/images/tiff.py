"""TIFF of every kind that tifffile and imagecodecs know, as long as it holds one 2-D image."""

from __future__ import annotations

import lzma
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from kerasseg.errors import UserError
from kerasseg.images.dtypes import as_intensities, intensity_type
from kerasseg.images.header import Header, sane
from kerasseg.images.orientation import TAG, TURNED, upright

# What tifffile, zarr and their codecs raise when tags or pixels make no sense.
DAMAGES = (
    tifffile.TiffFileError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def header(path: Path) -> Header:
    """Read the header of a TIFF file; its pixels must lie inside the file.

    Raises
    ------
    UserError
        If the file is damaged or truncated, has no pixels or absurdly many.
    """
    with opened(path) as file:
        series = file.series[0]
        lengths = dict(zip(series.axes, series.shape, strict=True))
        size = (lengths["Y"], lengths["X"])
        page = series.keyframe
        channels = 3 if _has_palette(page) else _channels(lengths)
        check_complete(file, path)
        size = size[::-1] if orientation_of(page) in TURNED else size
        return sane(Header(path, size, channels, intensity_type(series.dtype), _planes(file)))


def read(path: Path) -> np.ndarray:
    """Read the one image of a TIFF file upright, as uint8, uint16 or float32.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)

    Raises
    ------
    UserError
        If the file is a stack, or cannot be decoded.
    """
    with opened(path) as file:
        page = file.series[0].keyframe
        return upright(intensities(_plane(file, path), page), orientation_of(page))


def read_values(path: Path) -> np.ndarray:
    """Read the numbers that are stored, of any integer or float type, as label images need them.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)
    """
    with opened(path) as file:
        return upright(_plane(file, path), orientation_of(file.series[0].keyframe))


def is_palette(path: Path) -> bool:
    """Tell whether the file stores indices into a palette."""
    with opened(path) as file:
        return _has_palette(file.series[0].keyframe)


def write(path: Path, image: np.ndarray) -> None:
    """Write ``(Y, X)`` or ``(Y, X, C)`` of any type, losslessly compressed."""
    if image.ndim == 3 and image.shape[2] in (3, 4) and image.dtype.kind == "u":
        tifffile.imwrite(path, image, photometric="rgb", compression="zlib")
        return
    planes = image if image.ndim == 2 else np.moveaxis(image, -1, 0)
    axes = "YX" if image.ndim == 2 else "CYX"
    tifffile.imwrite(path, planes, photometric="minisblack", metadata={"axes": axes}, compression="zlib")


def intensities(values: np.ndarray, page: tifffile.TiffPage) -> np.ndarray:
    """Turn stored numbers into intensities: a palette into its colours, white made the largest.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., C)
        As the page stores them.
    page : tifffile.TiffPage
        Says what they mean.

    Returns
    -------
    numpy.ndarray, shape (..., C), uint8, uint16 or float32
    """
    if _has_palette(page):
        values = (page.colormap.T >> 8).astype(np.uint8)[values[..., 0]]
    elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and values.dtype.kind in "ub":
        values = ~values
    return as_intensities(values)


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open with tifffile; what it or a codec complains of becomes a UserError that names the file."""
    try:
        with tifffile.TiffFile(path) as file:
            if not file.pages or not file.series:
                raise ValueError("it holds no image")
            yield file
    except UserError:
        raise
    except DAMAGES as error:
        raise UserError(
            f"{path}: the TIFF is damaged, truncated or unknown ({error!r}); write it again"
        ) from error


def only_series(file: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Choose the one image of a file, of any rank; previews do not count.

    Raises
    ------
    UserError
        If there are several.
    """
    series = [one for one in file.series if not one.keyframe.is_reduced]
    if len(series) == 1:
        return series[0]
    shapes = ", ".join(" x ".join(map(str, one.shape)) for one in file.series)
    raise UserError(
        f"{path}: the TIFF holds {len(file.series)} images ({shapes}); expected one. "
        "Save each as a file of its own"
    )


def _plane(file: tifffile.TiffFile, path: Path) -> np.ndarray:
    """Decode the one image as ``(Y, X, C)``; refuse a stack before it is decoded."""
    series = file.series[0]
    if _planes(file) > 1:
        raise UserError(_stack(path, file))
    values = np.moveaxis(series.asarray(), [series.axes.index(axis) for axis in "YX"], [0, 1])
    return values.reshape(*values.shape[:2], -1)


def _stack(path: Path, file: tifffile.TiffFile) -> str:
    series = file.series[0]
    shape = " x ".join(map(str, series.shape))
    return (
        f"{path}: the TIFF is a stack of {_planes(file)} planes ({shape}, axes {series.axes}); "
        "expected one 2-D image. Save its planes as files of their own"
    )


def _planes(file: tifffile.TiffFile) -> int:
    """Count the planes of all images; samples and channels belong to one plane."""
    return sum(int(np.prod(series.shape)) // _plane_values(series) for series in file.series)


def _plane_values(series: tifffile.TiffPageSeries) -> int:
    lengths = dict(zip(series.axes, series.shape, strict=True))
    return max(1, lengths["Y"] * lengths["X"] * _channels(lengths))


def _channels(lengths: dict[str, int]) -> int:
    return lengths.get("S", 1) * lengths.get("C", 1)


def _has_palette(page: tifffile.TiffPage) -> bool:
    return page.photometric == tifffile.PHOTOMETRIC.PALETTE


def check_complete(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that ends before its last pixel.

    Raises
    ------
    UserError
        If it does.
    """
    end = max(max(map(sum, zip(p.dataoffsets, p.databytecounts, strict=True)), default=0) for p in file.pages)
    if end > path.stat().st_size:
        raise UserError(f"{path}: the TIFF is truncated: {path.stat().st_size} of {end} bytes; copy it again")
    there = sum(math.prod(series.shape) // series.keyframe.size for series in file.series)
    told = (file.imagej_metadata or {}).get("images", 1)
    if there < told:  # ImageJ names only the first of a large stack
        raise UserError(f"{path}: the TIFF is truncated: {there} of {told} planes are there; copy it again")


def orientation_of(page: tifffile.TiffPage) -> int:
    """Read which way is up: 1 to 8, as in EXIF."""
    tag = page.tags.get(TAG)
    return 1 if tag is None else int(tag.value)
