"""TIFF of every kind that tifffile and imagecodecs know: which of its series is the image, and what it means.

One rule holds for training, prediction and conversion. Thumbnails, labels and macros of slides, previews and
reduced copies are not the image (`only_series`). A lookup table is colour in a picture and display in a
scientific file (`shows_colours`). White is 0 where the file says so, unless its writer is known to mean the
stored numbers (`numbers`).
"""

from __future__ import annotations

import lzma
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PureWindowsPath

import numpy as np
import tifffile

from kerasseg.errors import UserError
from kerasseg.images.headers import TAG, TURNED, Header, as_intensities, intensity_type, sane, upright

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
    SystemError,
    MemoryError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
SCIENTIFIC = {
    *("ome", "imagej", "lsm", "stk", "fluoview", "metaseries", "micromanager", "mmstack", "ndtiff", "nih"),
    *("andor", "scanimage", "fei", "sem", "sis", "scn", "streak", "tvips", "pilatus", "eer"),
}
"""tifffile's names of formats whose lookup tables say how numbers are shown, and not what they are."""
BESIDE = (
    "thumbnail",
    "label",
    "macro",
    "overview",
    "map",
    "preview",
)  # series of slides that are not the image
LOSSY = {
    tifffile.COMPRESSION.OJPEG,
    tifffile.COMPRESSION.JPEG,
    tifffile.COMPRESSION.ALT_JPEG,
}
_PHOTOMETRIC, _COMPRESSION = tifffile.PHOTOMETRIC, tifffile.COMPRESSION
_LAB = {_PHOTOMETRIC.CIELAB, _PHOTOMETRIC.ICCLAB, _PHOTOMETRIC.ITULAB}
_MAKES_RGB = {
    *LOSSY,
    _COMPRESSION.APERIO_JP2000_YCBC,
    _COMPRESSION.APERIO_JP2000_RGB,
    _COMPRESSION.JPEG2000,
    _COMPRESSION.WEBP,
    _COMPRESSION.JPEGXL,
}  # codecs that turn YCbCr into RGB


def _is_irreversible(jpeg2000: bytes) -> bool:
    """Tell JPEG 2000's 9-7 wavelets from its 5-3 ones, by the marker COD (ISO 15444-1, A.6.1)."""
    marker = jpeg2000.find(b"\xff\x52")
    return marker < 0 or jpeg2000[marker + 13 : marker + 14] != b"\1"


MAY_BE_LOSSY = {
    _COMPRESSION.JPEG2000: _is_irreversible,
    _COMPRESSION.WEBP: lambda webp: b"VP8L" not in webp[:64],
    _COMPRESSION.JPEGXL: lambda _: True,  # it may be lossless, and says so where only a decoder finds it
}
"""Codecs that lose or do not, and what tells by a compressed segment."""
INKSET, CMYK = 332, 1
BASELINE = 1 << 15  # tags from here on are programs' own, which write much that leads nowhere
COMPANION = re.compile(r'<(?:\w+:)?BinaryOnly\b[^>]*\bMetadataFile="([^"]+)"')
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def header(path: Path) -> Header:
    """Read the header of a TIFF file; its pixels must lie inside the file.

    Raises
    ------
    UserError
        If the file is damaged or truncated, has no pixels or absurdly many.
    """
    with opened(path) as file:
        series = only_series(file, path)
        lengths = dict(zip(series.axes, series.shape, strict=True))
        size = (lengths["Y"], lengths["X"])
        page = series.keyframe
        channels = 3 if shows_colours(file, series) else _channels(lengths)
        check_complete(file, path)
        size = size[::-1] if orientation_of(page) in TURNED else size
        facts = {"lossy": is_lossy(page), "in_blocks": page.is_final or len(page.dataoffsets) > 1}
        return sane(Header(path, size, channels, intensity_type(series.dtype), _planes(series), **facts))


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
        series = only_series(file, path)
        return upright(intensities(_plane(series, path), file, series), orientation_of(series.keyframe))


def read_values(path: Path) -> np.ndarray:
    """Read the numbers that are stored, of any integer or float type, as label images need them.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)
    """
    with opened(path) as file:
        series = only_series(file, path)
        return upright(numbers(_plane(series, path), file, series), orientation_of(series.keyframe))


def is_palette(path: Path) -> bool:
    """Tell whether the file stores indices into a palette."""
    with opened(path) as file:
        return _has_palette(only_series(file, path).keyframe)


def write(path: Path, image: np.ndarray) -> None:
    """Write ``(Y, X)`` or ``(Y, X, C)`` of any type, losslessly compressed."""
    if image.ndim == 3 and image.shape[2] in (3, 4) and image.dtype.kind == "u":
        tifffile.imwrite(path, image, photometric="rgb", compression="zlib")
        return
    planes = image if image.ndim == 2 else np.moveaxis(image, -1, 0)
    axes = "YX" if image.ndim == 2 else "CYX"
    tifffile.imwrite(path, planes, photometric="minisblack", metadata={"axes": axes}, compression="zlib")


def intensities(values: np.ndarray, file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> np.ndarray:
    """Turn stored numbers into intensities: a picture's palette into its colours, white made the largest.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., C)
        As the series stores them.
    file, series
        Say what they mean.

    Returns
    -------
    numpy.ndarray, shape (..., C), uint8, uint16 or float32
    """
    page = series.keyframe
    if shows_colours(file, series):
        return (page.colormap.T >> 8).astype(np.uint8)[values[..., 0]]
    values = numbers(values, file, series)
    if _is_white_zero(page) and values.dtype.kind == "u" and not file.flags & SCIENTIFIC:
        values = ~values
    return as_intensities(values)


def numbers(values: np.ndarray, file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> np.ndarray:
    """Turn stored bits into the numbers that they stand for; all other types are stored as they are meant.

    Where white is 0, a set bit is black (TIFF 6.0, PhotometricInterpretation). tifffile alone writes NumPy's
    True as a set bit and says that white is 0 all the same, so what it wrote is left as it is.
    """
    page = series.keyframe
    if values.dtype != bool or not _is_white_zero(page):
        return values
    by_tifffile = file.is_shaped or page.software.startswith("tifffile")
    return values if by_tifffile else ~values


def shows_colours(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """Tell whether a lookup table makes colours of a picture, or only says how to show what was measured.

    It is for display in the formats of microscopes and of ImageJ, wherever there are several channels, and
    where it is an even ramp from black, as programs write it to tint a channel.
    """
    page = series.keyframe
    several = _channels(dict(zip(series.axes, series.shape, strict=True))) > 1
    if not _has_palette(page) or several or file.flags & SCIENTIFIC:
        return False
    even = np.linspace(0, 1, page.colormap.shape[1]) * page.colormap[:, -1:]
    is_ramp = (np.abs(page.colormap - even) <= 1024).all()  # four steps of 8 bits: some writers round
    return not is_ramp


def _is_white_zero(page: tifffile.TiffPage) -> bool:
    return page.photometric == tifffile.PHOTOMETRIC.MINISWHITE


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open with tifffile; what it or a codec complains of becomes a UserError that names the file."""
    try:
        with ExitStack() as files:
            file = files.enter_context(tifffile.TiffFile(path))
            if file.pages and (companion := COMPANION.search(file.pages.first.description)):
                file = files.enter_context(tifffile.TiffFile(path, omexml=_beside(path, companion[1])))
            if not file.pages or not file.series:
                raise ValueError("it holds no image")
            yield file
    except UserError:
        raise
    except DAMAGES as error:
        raise UserError(
            f"{path}: the TIFF is damaged, truncated or unknown ({error!r}); write it again"
        ) from error


def _beside(path: Path, companion: str) -> str:
    """Read the OME-XML that a file keeps in another one, of that name and in the same folder."""
    beside = path.with_name(PureWindowsPath(companion).name)
    if not beside.is_file():
        raise UserError(
            f"{path}: its axes are described in {beside.name}, which is not beside it; put it there"
        )
    return beside.read_text(encoding="utf-8")


def only_series(file: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Choose the one image of a file, of any rank.

    Thumbnails, labels and macros of slides and reduced copies are none, unless there is nothing else.

    Raises
    ------
    UserError
        If there are several.
    """
    named = [one for one in file.series if not one.name.lower().startswith(BESIDE)] or list(file.series)
    series = [one for one in named if not one.keyframe.is_reduced] or named
    if len(series) == 1:
        _refuse_print_colours(series[0].keyframe, path)
        return series[0]
    shown = ", ".join(" x ".join(map(str, one.shape)) + f" {one.name}".rstrip() for one in series)
    raise UserError(
        f"{path}: the TIFF holds {len(series)} images ({shown}); expected one. Save each as a file of its own"
    )


def is_lossy(page: tifffile.TiffPage) -> bool:
    """Tell whether pixels need not be those that were written, by the first of the compressed segments."""
    if page.compression in LOSSY:
        return True
    if page.compression not in MAY_BE_LOSSY or not page.dataoffsets:
        return False
    handle = page.parent.filehandle
    handle.seek(page.dataoffsets[0])
    return MAY_BE_LOSSY[page.compression](handle.read(page.databytecounts[0]))


def _refuse_print_colours(page: tifffile.TiffPage, path: Path) -> None:
    """Refuse what would be taken for red, green, blue and alpha, or for channels, and is not."""
    colours = _print_colours(page)
    if colours:
        raise UserError(
            f"{path}: the TIFF holds {colours} colours; expected grey, RGB or channels. Save it as RGB"
        )


def _print_colours(page: tifffile.TiffPage) -> str:
    """Name colours that are not RGB when they are decoded."""
    if page.photometric == _PHOTOMETRIC.SEPARATED:
        is_cmyk = page.tags.valueof(INKSET, CMYK) == CMYK and page.samplesperpixel >= 4
        return "CMYK" if is_cmyk else ""
    if page.photometric == _PHOTOMETRIC.YCBCR:
        return "" if page.compression in _MAKES_RGB else "YCbCr"
    return "Lab" if page.photometric in _LAB else ""


def _plane(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Decode the one image as ``(Y, X, C)``; refuse a stack before it is decoded."""
    if _planes(series) > 1:
        shape = " x ".join(map(str, series.shape))
        raise UserError(
            f"{path}: the TIFF is a stack of {_planes(series)} planes ({shape}, axes {series.axes}); "
            "expected one 2-D image. Save its planes as files of their own"
        )
    values = np.moveaxis(series.asarray(), [series.axes.index(axis) for axis in "YX"], [0, 1])
    return values.reshape(*values.shape[:2], -1)


def _planes(series: tifffile.TiffPageSeries) -> int:
    """Count the planes of an image; samples and channels belong to one plane."""
    lengths = dict(zip(series.axes, series.shape, strict=True))
    return math.prod(series.shape) // max(1, lengths["Y"] * lengths["X"] * _channels(lengths))


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
    expected = (file.imagej_metadata or {}).get("images", 1)
    if there < expected:  # ImageJ names only the first of a large stack
        raise UserError(
            f"{path}: the TIFF is truncated: {there} of {expected} planes are present; copy it again"
        )
    end = _end_of_tags(file)
    if end > path.stat().st_size:  # Bio-Formats writes OME-XML last
        raise UserError(
            f"{path}: the TIFF is truncated: {path.stat().st_size} of {end} bytes, and what describes the "
            "image is cut off; copy it again"
        )


def _end_of_tags(file: tifffile.TiffFile) -> int:
    """Say where the values of the first page's tags end; tifffile leaves out those that it cannot read."""
    handle, form = file.filehandle, file.tiff
    handle.seek(file.pages.first.offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    end = 0
    for _ in range(count):
        tag = handle.read(form.tagsize)
        code, kind = struct.unpack(form.tagformat1, tag[:4])
        number, value = struct.unpack(form.tagformat2, tag[4:])
        length = number * struct.calcsize("<" + tifffile.TIFF.DATA_FORMATS.get(kind, "0s"))
        if code < BASELINE and length > form.tagoffsetthreshold:
            end = max(end, struct.unpack(form.offsetformat, value[: form.offsetsize])[0] + length)
    return end


def orientation_of(page: tifffile.TiffPage) -> int:
    """Read which way is up: 1 to 8, as in EXIF."""
    tag = page.tags.get(TAG)
    return 1 if tag is None else int(tag.value)
