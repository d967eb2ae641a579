"""NRRD ("nearly raw raster data") by pynrrd; pixels that are not packed are read where they lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import nrrd
import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Scene, chosen, planes
from kerasseg.images.headers import MAX_VOXELS

DAMAGES = (nrrd.errors.NRRDError,)
# In the names of kinds of axes along which nothing lies in space.
CHANNELS = ("color", "colour", "vector", "list", "point", "normal", "matrix", "quaternion", "scalar")
SPACE = "XYZ"  # the fastest axis comes first


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open the image; see `kerasseg.images.formats.scenes.opened`."""
    chosen(["0"], name, path)
    with path.open("rb") as file, ExitStack() as beside:
        header = nrrd.read_header(file)
        _check_inside(header, path)
        shape = tuple(int(length) for length in header["sizes"])[::-1]
        axes, dtype = _axes(header, len(shape)), nrrd.reader._determine_datatype(header)
        if _is_plain(header):
            other = header.get("data file", header.get("datafile"))
            pixels = beside.enter_context((path.parent / other).open("rb")) if other else file
            block, decode = (*(1 for _ in shape[:-2]), *shape[-2:]), planes(pixels, dtype, shape)
        else:
            array = _whole(header, file, path, shape)
            block, decode = shape, lambda index: array
        yield Scene(axes[::-1], shape, block, dtype.newbyteorder("="), decode, _sizes(header, axes))


def _check_inside(header: dict[str, Any], path: Path) -> None:
    """Refuse a header that leads to files in other folders, or to several."""
    beside = header.get("data file", header.get("datafile"))
    if beside is not None and (Path(beside).name != beside or "%" in beside or beside.startswith("LIST")):
        raise UserError(
            f"{path}: its pixels lie in {beside}; expected one file beside it. Save it as one .nrrd"
        )


def _is_plain(header: dict[str, Any]) -> bool:
    """Tell pixels that are stored as they are, without lines or bytes to skip."""
    skipped = [header.get(key, 0) for key in ("line skip", "lineskip", "byte skip", "byteskip")]
    return header.get("encoding") == "raw" and not any(skipped)


def _whole(header: dict[str, Any], file: BinaryIO, path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if math.prod(shape) > MAX_VOXELS:
        raise UserError(
            f"{path}: it is packed and can only be read whole, and is {' x '.join(map(str, shape))}; "
            f"expected at most {MAX_VOXELS:,} voxels. Save it with encoding raw"
        )
    return nrrd.read_data(header, file, str(path), index_order="C")


def _axes(header: dict[str, Any], rank: int) -> str:
    """Name the axes, fastest first, by their kinds or, where there are none, by their number."""
    kinds = [str(kind).lower() for kind in header.get("kinds", [])]
    space = iter(SPACE)
    if len(kinds) != rank:
        return SPACE[:rank] if rank <= len(SPACE) else "?" * rank
    return "".join(
        "T" if kind == "time" else "C" if any(word in kind for word in CHANNELS) else next(space, "?")
        for kind in kinds
    )


def _sizes(header: dict[str, Any], axes: str) -> dict[str, float | None]:
    """Read the length of a step along each axis, and its unit."""
    directions = header.get("space directions")
    if directions is not None:
        rows = [[math.nan] if row is None else row for row in directions]
        lengths = [float(np.linalg.norm(np.asarray(row, float))) for row in rows]
        units = iter(header.get("space units", []))
        named = [next(units, "") if math.isfinite(length) else "" for length in lengths]
    else:
        lengths = [float(length) for length in header.get("spacings", [])]
        named = list(header.get("units", []))
    return {
        axis: micrometres(length, str(unit))
        for axis, length, unit in zip(axes, lengths, named, strict=False)
        if axis in SPACE
    }
