"""OME-TIFF: one page for each plane and channel, in compressed tiles, smaller levels as their SubIFDs."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from kerasseg.files import write_atomically
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.writing.result import Plane, Result

TILE = 512
TIFF_UNIT = 16  # sides of a tile are multiples of it
CLASSIC_BYTES = 2**32 - 2**25  # more needs BigTIFF


def write_tiff(path: Path, result: Result) -> None:
    """Write a result as OME-TIFF; the file appears when it is complete.

    Parameters
    ----------
    path : Path
        By custom it ends in ``.ome.tif``. It is a BigTIFF where 4 GB may not be enough.
    result : Result
        Of any type but float64 and bool.

    Raises
    ------
    UserError
        If it cannot be written: no permission, disk full.
    """
    pyramids = [
        result.pyramid(plane, channel) for plane in range(result.planes) for channel in range(result.depth)
    ]
    big = result.pixels.nbytes * 4 / 3 > CLASSIC_BYTES
    with write_atomically(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=big, ome=True) as file:
        for number, planes in enumerate(zip(*pyramids, strict=True)):
            what = {"subfiletype": 1} if number else {"subifds": len(pyramids[0]) - 1}
            file.write(**what, **_level(planes, result, number))


def _level(planes: tuple[Plane, ...], result: Result, number: int) -> dict[str, Any]:
    """Tell tifffile how to write one level of all planes and channels."""
    height, width = planes[0].shape
    tile = tuple(min(TILE, math.ceil(side / TIFF_UNIT) * TIFF_UNIT) for side in (height, width))
    lengths = {"Z": result.planes, "C": result.depth, "Y": height, "X": width}
    axes = "".join(axis for axis in lengths if axis in result.axes)
    described: dict[str, Any] = {f"PhysicalSize{axis}": size for axis, size in result.sizes.items()}
    described |= {f"{name}Unit": "µm" for name in described}
    if result.channels:
        described["Channel"] = {"Name": list(result.channels)}
    return {
        "data": _tiles(planes, tile),
        "shape": tuple(lengths[axis] for axis in axes),
        "dtype": result.pixels.dtype,
        "tile": tile,
        "photometric": "minisblack",
        "compression": "zlib",
        "metadata": None if number else {"axes": axes, "UUID": _identity(planes), **described},
        **_resolution(result, 2**number),
    }


def _tiles(planes: tuple[Plane, ...], tile: tuple[int, int]) -> Iterator[np.ndarray]:
    """Cut planes into tiles, row by row; what a tile has beyond the plane is 0."""
    for plane in planes:
        height, width = plane.shape
        band = np.zeros((tile[0], math.ceil(width / tile[1]) * tile[1]), plane.dtype)
        for rows in cuts(height, tile[0]):
            band[: rows.stop - rows.start, :width] = plane[rows]
            band[rows.stop - rows.start :] = 0
            for left in range(0, width, tile[1]):
                yield band[:, left : left + tile[1]].copy()


def _identity(planes: tuple[Plane, ...]) -> str:
    """Name a file by the pixels in it: the same result is the same bytes whenever it is written."""
    digest = hashlib.blake2b(digest_size=16)
    for plane in planes:
        for rows in cuts(plane.shape[0], TILE):
            digest.update(np.ascontiguousarray(plane[rows]))
    return f"urn:uuid:{uuid.UUID(bytes=digest.digest(), version=5)}"


def _resolution(result: Result, factor: int) -> dict[str, Any]:
    """Say the pixel size in a TIFF's own tags too: pixels a centimetre."""
    sizes = result.sizes
    if not {"X", "Y"} <= sizes.keys():
        return {}
    dots = tuple(1e4 / (sizes[axis] * factor) for axis in "XY")
    return {"resolution": dots, "resolutionunit": "CENTIMETER"}
