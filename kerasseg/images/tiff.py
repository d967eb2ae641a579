"""TIFF of every kind that tifffile and imagecodecs know, as long as it holds one 2-D image."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from kerasseg.errors import UserError
from kerasseg.images.header import Header, sane
from kerasseg.images.orientation import TAG, TURNED, upright

# What tifffile and its codecs raise when tags or pixels make no sense.
DAMAGES = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
)
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def header(path: Path) -> Header:
    """Read the header of a TIFF file; its pixels must lie inside the file.

    Raises
    ------
    UserError
        If the file is damaged or truncated, has no pixels or absurdly many.
    """
    with _opened(path) as file:
        series = file.series[0]
        lengths = dict(zip(series.axes, series.shape, strict=True))
        size = (lengths["Y"], lengths["X"])
        page = series.keyframe
        channels = 3 if page.photometric == tifffile.PHOTOMETRIC.PALETTE else _channels(lengths)
        _check_complete(file, path)
        size = size[::-1] if _orientation(page) in TURNED else size
        return sane(Header(path, size, channels, _pixel_type(series.dtype), _planes(file)))


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
    with _opened(path) as file:
        page, values = file.series[0].keyframe, _plane(file, path)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            values = (page.colormap.T >> 8).astype(np.uint8)[values[..., 0]]
        elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and values.dtype.kind in "ub":
            values = ~values
        pixels = values.astype(np.uint8) * 255 if values.dtype == bool else values
        return upright(pixels.astype(_pixel_type(values.dtype), copy=False), _orientation(page))


def read_values(path: Path) -> np.ndarray:
    """Read the numbers that are stored, of any integer or float type, as label images need them.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)
    """
    with _opened(path) as file:
        return upright(_plane(file, path), _orientation(file.series[0].keyframe))


def is_palette(path: Path) -> bool:
    """Tell whether the file stores indices into a palette."""
    with _opened(path) as file:
        return file.series[0].keyframe.photometric == tifffile.PHOTOMETRIC.PALETTE


def write(path: Path, image: np.ndarray) -> None:
    """Write ``(Y, X)`` or ``(Y, X, C)`` of any type, losslessly compressed."""
    if image.ndim == 3 and image.shape[2] in (3, 4) and image.dtype.kind == "u":
        tifffile.imwrite(path, image, photometric="rgb", compression="zlib")
        return
    planes = image if image.ndim == 2 else np.moveaxis(image, -1, 0)
    axes = "YX" if image.ndim == 2 else "CYX"
    tifffile.imwrite(path, planes, photometric="minisblack", metadata={"axes": axes}, compression="zlib")


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
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


def _pixel_type(dtype: np.dtype) -> np.dtype:
    """Choose what holds the stored numbers among the three types of images."""
    if dtype.kind not in "buif":
        raise ValueError(f"pixels of type {dtype}")
    whole = {"bool": np.uint8, "uint8": np.uint8, "uint16": np.uint16}
    return np.dtype(whole.get(dtype.name, np.float32))


def _check_complete(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that ends before its last pixel."""
    end = max(max(map(sum, zip(p.dataoffsets, p.databytecounts, strict=True)), default=0) for p in file.pages)
    if end > path.stat().st_size:
        raise UserError(f"{path}: the TIFF is truncated: {path.stat().st_size} of {end} bytes; copy it again")


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(TAG)
    return 1 if tag is None else int(tag.value)
