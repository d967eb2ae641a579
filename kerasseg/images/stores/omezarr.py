"""OME-Zarr, 0.1 to 0.5, as far as one image needs it: axes, pixel size and chunks of the largest level.

The specification: https://ngff.openmicroscopy.org/0.5/. `zarr` is imported where it is used, so that nobody
needs it who has none of these files.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.calibration import micrometres
from kerasseg.images.dtypes import intensity_type
from kerasseg.images.header import MAX_PIXELS
from kerasseg.images.stores.blocks import Blocks, Index
from kerasseg.images.tiff import DAMAGES

if TYPE_CHECKING:
    import zarr

MARKS = ("zarr.json", ".zgroup", ".zarray")  # one of them makes a folder a Zarr
OLDEST_AXES = "TCZYX"  # of versions 0.1 and 0.2, which do not name them


def is_zarr(path: Path) -> bool:
    """Tell whether a path is the folder of a Zarr, by the files that every Zarr has."""
    return any((Path(path) / mark).is_file() for mark in MARKS)


def library() -> ModuleType:
    """Import zarr.

    Raises
    ------
    UserError
        If it is not installed, or older than version 3.
    """
    try:
        import zarr
    except ImportError as error:
        raise UserError(_NEEDED.format("is not installed")) from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise UserError(_NEEDED.format(f"is version {zarr.__version__}"))
    return zarr


_NEEDED = "OME-Zarr needs the package zarr, version 3 (Python 3.11), which {}: pip install 'kerasseg[zarr]'"


def full_resolution(path: Path) -> tuple[zarr.Array, str, dict[str, float | None]]:
    """Open the largest level of an OME-Zarr, or a plain Zarr array.

    Parameters
    ----------
    path : Path
        Its folder.

    Returns
    -------
    array : zarr.Array
        Of any rank.
    axes : str
        A letter for each axis; ``?`` where none is named.
    sizes : dict of str to float or None
        Micrometres a pixel along the axes that have a length.

    Raises
    ------
    UserError
        If the folder is none of these, or its metadata are damaged.
    """
    zarr = library()
    try:
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return node, "?" * node.ndim, {}
        return _largest_level(node, path)
    except (*DAMAGES, AttributeError) as error:
        raise UserError(
            f"{path}: this folder is no OME-Zarr, or its metadata are damaged ({error!r}); expected a folder "
            "with multiscales, or a Zarr array"
        ) from error


def blocks_of(array: zarr.Array, path: Path, columns: int, fill_missing: bool) -> Blocks:
    """Make an array that reads the chunks of another.

    Parameters
    ----------
    array : zarr.Array
        Open.
    path : Path
        The folder that was opened.
    columns : int
        The axis along which the image's rows run.
    fill_missing : bool
        Whether chunks without a file hold the fill value; they are an error otherwise.

    Raises
    ------
    UserError
        If chunks are missing or absurdly large.
    """
    if math.prod(array.chunks) > MAX_PIXELS:
        raise UserError(f"{path}: a chunk holds {array.chunks} pixels; expected at most {MAX_PIXELS:,}")
    intensity_type(array.dtype)
    if not fill_missing:
        _check_chunks(array, path)

    def decode(index: Index) -> np.ndarray:
        if not fill_missing and not _file(array, path, index).is_file():
            raise FileNotFoundError(f"the chunk {_file(array, path, index)} is missing")
        part = (slice(at * step, (at + 1) * step) for at, step in zip(index, array.chunks, strict=True))
        return np.asarray(array[tuple(part)])

    return Blocks(array.shape, array.chunks, array.dtype, decode, columns)


def _largest_level(group: zarr.Group, path: Path) -> tuple[zarr.Array, str, dict[str, float | None]]:
    attributes = group.attrs.asdict()
    multiscales = attributes.get("ome", attributes).get("multiscales")
    if not multiscales:
        raise UserError(_no_image(path, group))
    image = multiscales[0]
    level = image["datasets"][0]
    array = group[level["path"]]
    named = image.get("axes") or OLDEST_AXES.lower()
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in named]
    scales = [_scale(told, array.ndim) for told in (level, image)]
    lengths = [math.prod(parts) for parts in zip(*scales, strict=True)]
    sizes = {
        _letter(axis): micrometres(length, axis["unit"])
        for axis, length in zip(axes, lengths, strict=True)
        if axis.get("unit")
    }
    return array, "".join(map(_letter, axes)), sizes


def _letter(axis: dict[str, Any]) -> str:
    """Name an axis by one letter; its type tells where its name is a word."""
    kinds = {"channel": "C", "time": "T"}
    return axis["name"].upper() if len(axis["name"]) == 1 else kinds.get(axis.get("type"), "?")


def _scale(told: dict[str, Any], rank: int) -> list[float]:
    transformations = told.get("coordinateTransformations", [])
    return next((each["scale"] for each in transformations if each["type"] == "scale"), [1.0] * rank)


def _no_image(path: Path, group: zarr.Group) -> str:
    inside = ", ".join(sorted(group.keys())[:5]) or "nothing"
    return (
        f"{path}: the Zarr has no multiscales, so it is not an OME-Zarr image; it holds {inside}. "
        "Give the folder of one image or array inside it"
    )


def _check_chunks(array: zarr.Array, path: Path) -> None:
    """Refuse an array that lacks files: Zarr itself would answer with the fill value and no word."""
    stored = array.shards or array.chunks
    grid = [range(-(-length // step)) for length, step in zip(array.shape, stored, strict=True)]
    keys = [path / array.path / array.metadata.encode_chunk_key(index) for index in itertools.product(*grid)]
    missing = [key for key in keys if not key.is_file()]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(keys)} chunks are missing, the first is {missing[0]}. Copy the "
            "folder again; or, if its writer leaves out chunks of background, say --fill-missing"
        )


def _file(array: zarr.Array, path: Path, index: Index) -> Path:
    """Name the file that a chunk is in, alone or with others of its shard."""
    stored = array.shards or array.chunks
    place = tuple(at * chunk // step for at, chunk, step in zip(index, array.chunks, stored, strict=True))
    return path / array.path / array.metadata.encode_chunk_key(place)
