"""OME-Zarr 0.5: one array for each level, every chunk of it written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.files import folder_atomically
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.omezarr import is_zarr, library
from kerasseg.images.writing.result import Plane, Result

if TYPE_CHECKING:
    import zarr

VERSION = "0.5"  # of OME-Zarr, which is Zarr 3
CHUNK = {"YX": (512, 512), "ZYX": (16, 256, 256)}


def write_zarr(path: Path, result: Result) -> None:
    """Write a result as OME-Zarr; the folder appears when it is complete.

    Parameters
    ----------
    path : Path
        By custom it ends in ``.ome.zarr``. A Zarr that is there is replaced, any other folder is not.
    result : Result
        Of any type.

    Raises
    ------
    UserError
        If zarr is not installed, or the folder cannot be written.
    """
    pyramids = [
        [result.pyramid(plane, channel) for plane in range(result.planes)] for channel in range(result.depth)
    ]
    count, path = len(pyramids[0][0]), Path(path)
    if path.exists() and not is_zarr(path):
        raise UserError(f"{path}: it exists and is not a Zarr, so it is not replaced; choose another name")
    with folder_atomically(path) as folder:
        group = library().open_group(folder, mode="w", zarr_format=3)
        for number in range(count):
            level = [[planes[number] for planes in channel] for channel in pyramids]
            _write_level(group, str(number), level, result)
        group.attrs.update(_metadata(result, path.name.split(".")[0], count))


def _write_level(group: zarr.Group, name: str, level: list[list[Plane]], result: Result) -> None:
    """Write one level, by blocks of planes and bands of rows that fill whole chunks."""
    size = level[0][0].shape
    *depth, rows, _ = CHUNK[result.space]
    array = _create(group, name, size, result)
    for channel, planes in enumerate(level):
        first = (channel,) if "C" in result.axes else ()
        for some in cuts(len(planes), *(depth or [1])):
            for band in cuts(size[0], rows):
                block = np.stack([plane[band] for plane in planes[some]])
                array[(*first, some, band) if depth else (*first, band)] = block if depth else block[0]


def _create(group: zarr.Group, name: str, size: tuple[int, int], result: Result) -> zarr.Array:
    axes = _stored_axes(result)
    lengths = {"C": result.depth, "Z": result.planes, "Y": size[0], "X": size[1]}
    shape = tuple(lengths[axis] for axis in axes)
    chunks = ((1,) if "C" in axes else ()) + CHUNK[result.space]
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(map(min, chunks, shape)),
        dtype=result.pixels.dtype,
        dimension_names=list(axes.lower()),
        chunk_key_encoding={"name": "default", "separator": "/"},
        # A chunk that is missing is then one that was lost, and not one of background.
        config={"write_empty_chunks": True},
    )


def _stored_axes(result: Result) -> str:
    """Order axes as the specification wants them: channels before space."""
    return "".join(axis for axis in "CZYX" if axis in result.axes)


def _metadata(result: Result, name: str, count: int) -> dict[str, Any]:
    axes = _stored_axes(result)
    image = {
        "name": name,
        "axes": [_axis(axis, axis in result.sizes) for axis in axes],
        "datasets": [
            {"path": str(number), "coordinateTransformations": _transformations(axes, result.sizes, number)}
            for number in range(count)
        ],
        "type": result.shrink,
    }
    return {"ome": {"version": VERSION, "multiscales": [image]}}


def _axis(axis: str, has_size: bool) -> dict[str, str]:
    named = {"name": axis.lower(), "type": "channel" if axis == "C" else "space"}
    return named | ({"unit": "micrometer"} if has_size else {})


def _transformations(axes: str, sizes: dict[str, float], number: int) -> list[dict[str, Any]]:
    """Say where a level's pixels lie: each amid those of the first level that it stands for."""
    factors = [2**number if axis in "YX" else 1 for axis in axes]
    units = [sizes.get(axis, 1.0) for axis in axes]
    scale = [unit * factor for unit, factor in zip(units, factors, strict=True)]
    middle = [unit * (factor - 1) / 2 for unit, factor in zip(units, factors, strict=True)]
    moved = [{"type": "translation", "translation": middle}] if number else []
    return [{"type": "scale", "scale": scale}, *moved]
