"""The strips and tiles of a TIFF series as the blocks of one array.

tifffile decodes a strip or tile; here is where each lies. Pages without compression need no strips: their
rows are read where they are, since many programs store a whole page as a single strip.
"""

from __future__ import annotations

import math
from threading import Lock

import numpy as np
import tifffile

from kerasseg.errors import UserError
from kerasseg.images.headers import MAX_PIXELS
from kerasseg.images.stores.blocks import Blocks, Index

ROWS_BYTES = 2**19  # read at once where nothing is compressed
JPEG = {6, 7, 33007, 34892}  # compressions whose segments share tables
# tifffile's normal form of a page: separate samples, depth, length, width, interleaved samples.
PAGE_RANK = 5


def blocks_of(series: tifffile.TiffPageSeries, columns: int) -> Blocks:
    """Make an array that reads a series by region.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Its file stays open as long as the array is read.

    Returns
    -------
    Blocks
        Its axes are those of :func:`axes_of`.

    Raises
    ------
    ValueError, LookupError
        If the pixels are stored in a way that is not known.
    UserError
        If planes are missing, or a single strip or tile is absurdly large.
    """
    page = series.keyframe
    _check_planes(series)
    if not _by_pages(series):
        return _whole(series, columns)
    outer = series.shape[: -len(page.shape)]
    pieces = Rows(series, math.prod(outer)) if page.is_final else Segments(series)

    def decode(index: Index) -> np.ndarray:
        plane = np.ravel_multi_index(index[:-PAGE_RANK], outer) if outer else 0
        return pieces.read(int(plane), index[-PAGE_RANK:])[(np.newaxis,) * len(outer)]

    block = (1,) * len(outer) + pieces.block
    return Blocks((*outer, *page.shaped), block, page.dtype, decode, columns)


def axes_of(series: tifffile.TiffPageSeries, names: str) -> tuple[str, tuple[int, ...]]:
    """Name the axes of :func:`blocks_of`.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        As there.
    names : str
        A letter for each axis of ``series.shape``.

    Returns
    -------
    axes : str
        As many letters as the array has axes; those of length 1 that have no name are ``_``.
    """
    if not _by_pages(series):
        return names, series.shape
    page = series.keyframe
    outer = len(series.shape) - len(page.shape)
    inner = iter(names[outer:])
    present = [length > 1 or axis in (2, 3) for axis, length in enumerate(page.shaped)]
    axes = names[:outer] + "".join(next(inner) if there else "_" for there in present)
    return axes, (*series.shape[:outer], *page.shaped)


def _by_pages(series: tifffile.TiffPageSeries) -> bool:
    """Tell whether the last axes of a series are those of its pages.

    They are not for images one pixel wide, which tifffile writes with other axes than it names, and for
    some makers' formats.
    """
    page = series.keyframe
    return series.transform is None and series.shape[-len(page.shape) :] == page.shape


def _whole(series: tifffile.TiffPageSeries, columns: int) -> Blocks:
    """Decode a series whole, as one block."""
    if math.prod(series.shape) > MAX_PIXELS:
        raise ValueError(f"pages of {series.keyframe.shape} in a series of {series.shape}")
    array = series.asarray()
    return Blocks(series.shape, series.shape, array.dtype, lambda index: array, columns)


class Rows:
    """Uncompressed pages, read by rows.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Of pages whose pixels lie in one piece.
    planes : int
        Pages that it stands for; ImageJ names only the first of a large stack.
    """

    def __init__(self, series: tifffile.TiffPageSeries, planes: int) -> None:
        self.page = series.keyframe
        pages = list(series.pages)
        self.handles = [page.parent.filehandle for page in pages]
        self.starts = [page.dataoffsets[0] for page in pages]
        if len(pages) < planes:
            self.handles *= planes
            self.starts = [series.dataoffset + plane * self.page.nbytes for plane in range(planes)]
            if self.starts[-1] + self.page.nbytes > self.handles[0].size:
                raise EOFError("it ends before its last plane")
        self.stored = self.page.dtype.newbyteorder(self.page.parent.byteorder)
        length, width, samples = self.page.shaped[2:]
        self.row_bytes = width * samples * self.stored.itemsize
        self.block = (1, 1, min(max(1, ROWS_BYTES // self.row_bytes), length), width, samples)
        self.lock = Lock()

    def read(self, plane: int, index: Index) -> np.ndarray:
        """Read one block of a page."""
        _, depth, length, width, samples = self.page.shaped
        top = index[2] * self.block[2]
        rows = min(self.block[2], length - top)
        start = self.starts[plane] + ((index[0] * depth + index[1]) * length + top) * self.row_bytes
        data = _bytes(self.handles[plane], start, rows * self.row_bytes, self.lock)
        pixels = np.frombuffer(data, self.stored).astype(self.page.dtype, copy=False)
        return pixels.reshape(1, 1, rows, width, samples)


class Segments:
    """Pages of strips or tiles, of any compression that tifffile and imagecodecs know.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Of pages that are stored alike.
    """

    def __init__(self, series: tifffile.TiffPageSeries) -> None:
        page = self.page = series.keyframe
        self.pages = list(series.pages)
        tile = (page.tiledepth, page.tilelength, page.tilewidth)
        strip = (1, min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth)
        sides = tile if page.is_tiled else strip
        self.block = (1, *sides, page.shaped[-1])
        self.grid = tuple(-(-side // step) for side, step in zip(page.shaped[:4], self.block, strict=False))
        self.lock = Lock()
        _check_known(page)
        _check_segments(page, sides, math.prod(self.grid))

    def read(self, plane: int, index: Index) -> np.ndarray:
        """Decode one strip or tile of a page; one that a sparse file leaves out is filled."""
        page, segment = self.pages[plane], int(np.ravel_multi_index(index[:4], self.grid))
        count = page.databytecounts[segment]
        if count == 0:
            return np.full(self.block, self.page.nodata, self.page.dtype)
        data = _bytes(page.parent.filehandle, page.dataoffsets[segment], count, self.lock)
        tables = {"jpegtables": page.jpegtables, "jpegheader": self.page.jpegheader}
        shared = tables if self.page.compression in JPEG else {}
        return self.page.decode(data, segment, **shared)[0][np.newaxis]


def _bytes(handle: tifffile.FileHandle, start: int, count: int, lock: Lock) -> bytes:
    """Read a part of a file, which one of several threads does at a time."""
    with lock:
        if handle.closed:  # a file of a series that lies in several
            handle.open()
        handle.seek(start)
        data = handle.read(count)
    if len(data) < count:
        raise EOFError(f"the file ends {count - len(data)} bytes too early")
    return data


def _check_planes(series: tifffile.TiffPageSeries) -> None:
    path, missing = series.parent.filehandle.path, sum(page is None for page in series.pages)
    if missing:
        raise UserError(
            f"{path}: {missing} of {len(series.pages)} planes are missing; an OME-TIFF of several files "
            "needs all of them beside each other"
        )


def _check_known(page: tifffile.TiffPage) -> None:
    """Refuse a compression or predictor that nothing here decodes, before the first pixel is asked for."""
    if page.compression != tifffile.COMPRESSION.NONE:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    if page.predictor != tifffile.PREDICTOR.NONE and page.compression not in tifffile.TIFF.IMAGE_COMPRESSIONS:
        tifffile.TIFF.UNPREDICTORS[page.predictor]


def _check_segments(page: tifffile.TiffPage, sides: tuple[int, ...], count: int) -> None:
    path = page.parent.filehandle.path
    if math.prod(sides) > MAX_PIXELS:
        kind = "tile" if page.is_tiled else "strip"
        raise UserError(
            f"{path}: a single {kind} holds {' x '.join(map(str, sides))} pixels and can only be read whole; "
            f"expected at most {MAX_PIXELS:,}. Save the image in tiles"
        )
    if min(len(page.dataoffsets), len(page.databytecounts)) < count:
        raise ValueError(f"{len(page.dataoffsets)} of {count} strips or tiles")
