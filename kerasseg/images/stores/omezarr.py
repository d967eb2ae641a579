"""OME-Zarr, 0.1 to 0.6, as far as one image needs it: axes, pixel size and chunks of the largest level.

The specification: https://ngff.openmicroscopy.org/0.5/. `zarr` is imported where it is used, so that nobody
needs it who has none of these files.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.calibration import micrometres
from kerasseg.images.headers import MAX_PIXELS, intensity_type
from kerasseg.images.stores.blocks import Blocks, Index, say_missing
from kerasseg.images.tiff import DAMAGES

if TYPE_CHECKING:
    import zarr

MARKS = ("zarr.json", ".zgroup", ".zarray")  # one of them makes a folder a Zarr
METADATA = (*MARKS, ".zattrs", ".zmetadata")
OLDEST_AXES = "TCZYX"  # of versions 0.1 and 0.2, which do not name them
XARRAY = "_ARRAY_DIMENSIONS"  # what xarray calls Zarr 3's `dimension_names` in version 2
LISTED = 10  # of what a folder holds, in a message


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


def full_resolution(path: Path, name: str | None = None) -> tuple[zarr.Array, str, dict[str, float | None]]:
    """Open the largest level of an OME-Zarr, or a plain Zarr array.

    Parameters
    ----------
    path : Path
        Its folder, or one that holds a single image or array.
    name : str, optional
        Which of several, by its path in the folder.

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
        If the folder is none of these, holds several, or its metadata are damaged.
    """
    zarr = library()
    try:
        node = zarr.open(path, mode="r")
        if name is not None:
            node = _named(node, name, path)
        if isinstance(node, zarr.Group):
            node = _only_image(node, path)
        if isinstance(node, zarr.Array):
            return node, _plain_axes(node), {}
        return _largest_level(node)
    except (*DAMAGES, AttributeError, StopIteration) as error:
        raise UserError(
            f"{path}: this folder is not an OME-Zarr, or its metadata are damaged ({plainly(error)}); "
            "expected a folder with multiscales, or a Zarr array"
        ) from error


def plainly(error: Exception) -> str:
    """Say what is wrong without Python's names of errors."""
    if isinstance(error, LookupError):
        return f"nothing is found at {error}"
    return str(error).rstrip(".") or "they cannot be read"


def blocks_of(array: zarr.Array, path: Path, columns: int) -> Blocks:
    """Make an array that reads the chunks of another.

    Chunks without a file hold the fill value, which is said; but those that vanish later are an error.

    Parameters
    ----------
    path : Path
        The folder that was opened.

    Raises
    ------
    UserError
        If chunks are absurdly large.
    """
    if not 0 < math.prod(array.chunks) <= MAX_PIXELS:
        raise UserError(f"{path}: a chunk holds {array.chunks} pixels; expected 1 to {MAX_PIXELS:,}")
    intensity_type(array.dtype)
    stored = _stored(array, path)
    last = next(reversed(array.compressors), None)  # of Zarr 2 numcodecs' Blosc, of Zarr 3 BloscCodec
    empty = np.broadcast_to(np.asarray(array.fill_value or 0, array.dtype), array.chunks)  # takes no memory
    in_blosc = array.shards is None and type(last).__name__.startswith("Blosc")

    def file_of(index: Index) -> Path:
        """Say where a chunk lies, alone or in a shard."""
        starts = (number * step for number, step in zip(index, array.chunks, strict=True))
        place = (start // step for start, step in zip(starts, array.shards or array.chunks, strict=True))
        return path / array.path / array.metadata.encode_chunk_key(tuple(place))

    def unwritten(index: Index) -> np.ndarray | None:
        return None if str(file_of(index)) in stored else empty

    def decode(index: Index) -> np.ndarray:
        file = file_of(index)
        if not file.is_file():
            raise FileNotFoundError(f"the chunk {file} is missing")
        if in_blosc:
            _check_blosc(file)
        part = (
            slice(number * step, (number + 1) * step)
            for number, step in zip(index, array.chunks, strict=True)
        )
        return np.asarray(array[tuple(part)])

    return Blocks(array.shape, array.chunks, array.dtype, decode, columns, unwritten)


def _check_blosc(file: Path) -> None:
    """Refuse a chunk whose header says another length than the file has: Blosc decodes as the header says.

    The header is of 16 bytes, the last four of them the length of the whole chunk: see README_CHUNK_FORMAT
    of https://github.com/Blosc/c-blosc.
    """
    with file.open("rb") as chunk:
        header = chunk.read(16)
    size, said = file.stat().st_size, int.from_bytes(header[12:], "little")
    if len(header) < 16 or said != size:
        raise ValueError(f"the chunk {file} has {size:,} bytes, and its header says {said:,}")


def _named(node: zarr.Array | zarr.Group, name: str, path: Path) -> zarr.Array | zarr.Group:
    """Find what lies at a path inside a group."""
    zarr = library()
    inner = name.strip("/")
    if not isinstance(node, zarr.Group) or ".." in inner.split("/") or inner not in node:
        there = _listed(node) if isinstance(node, zarr.Group) else "one array"
        raise UserError(f"{path}: there is nothing named {name!r}; it holds {there}")
    return node[inner]


def _only_image(group: zarr.Group, path: Path) -> zarr.Array | zarr.Group:
    """Go down to the one image or array that a group without multiscales holds."""
    zarr = library()
    if _multiscales(group):
        return group
    attributes = _attributes(group)
    if "plate" in attributes:
        raise UserError(_a_plate(attributes["plate"], path))
    members = dict(group.members())
    images = {
        name: node for name, node in members.items() if isinstance(node, zarr.Array) or _multiscales(node)
    }
    if len(images) == 1:
        return next(iter(images.values()))
    if images:
        first = min(images)
        raise UserError(
            f"{path}: the Zarr holds {_listed(group)}; expected one image. Name one, such as "
            f'{path.name}:{first} on the command line, or dataset="{first}"'
        )
    raise UserError(
        f"{path}: the Zarr has no multiscales, so it is not an OME-Zarr image; it holds {_listed(group)}. "
        "Give the folder of one image or array inside it"
    )


def _a_plate(plate: dict[str, Any], path: Path) -> str:
    wells = [well["path"] for well in plate.get("wells", [])]
    shown = ", ".join(wells[:LISTED]) + (f" and {len(wells) - LISTED} more" if wells[LISTED:] else "")
    example = f"{path}:{wells[0] if wells else 'A/1'}/0"
    return (
        f"{path}: this Zarr is a plate; its wells ({shown or 'none'}) hold images of their own; expected one "
        f"image. Give one, such as {example}"
    )


def _listed(group: zarr.Group) -> str:
    """List what a group holds, arrays with their shapes."""
    members = sorted(group.members(), key=lambda member: member[0])
    shown = [
        f"{name} ({' x '.join(map(str, node.shape))} {node.dtype})" if hasattr(node, "shape") else name
        for name, node in members[:LISTED]
    ]
    return ", ".join(shown or ["nothing"]) + (
        f" and {len(members) - LISTED} more" if members[LISTED:] else ""
    )


def _attributes(group: zarr.Group) -> dict[str, Any]:
    attributes = group.attrs.asdict()
    return attributes.get("ome", attributes)


def _multiscales(group: zarr.Group) -> list[dict[str, Any]]:
    return _attributes(group).get("multiscales") or []


def _plain_axes(array: zarr.Array) -> str:
    """Name the axes of an array by Zarr 3's ``dimension_names``, or as xarray writes them in version 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get(XARRAY)
    if not names or len(names) != array.ndim:
        return "?" * array.ndim
    return "".join(_letter({"name": name or "?", "type": (name or "").lower()}) for name in names)


def _largest_level(group: zarr.Group) -> tuple[zarr.Array, str, dict[str, float | None]]:
    image = _multiscales(group)[0]
    level = image["datasets"][0]
    array = group[level["path"]]
    named = _axes_of(image, level) or OLDEST_AXES.lower()
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in named]
    scales = [_scale(part, array.ndim) for part in (level, image)]
    lengths = [math.prod(parts) for parts in zip(*scales, strict=True)]
    sizes = {
        _letter(axis): micrometres(length, axis["unit"])
        for axis, length in zip(axes, lengths, strict=True)
        if axis.get("unit")
    }
    return array, "".join(map(_letter, axes)), sizes


def _axes_of(image: dict[str, Any], level: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Find the axes: until 0.5 the image's, from 0.6 those of the coordinate system that a level leads to."""
    if "coordinateSystems" not in image:
        return image.get("axes")
    systems = {system["name"]: system["axes"] for system in image["coordinateSystems"]}
    outputs = [transformation.get("output") for transformation in level.get("coordinateTransformations", [])]
    named = [output.get("name") if isinstance(output, dict) else output for output in outputs]
    return next(systems[name] for name in (*named, *systems) if name in systems)


def _letter(axis: dict[str, Any]) -> str:
    """Name an axis by one letter; its type tells where its name is a word."""
    kinds = {"channel": "C", "time": "T"}
    return axis["name"].upper() if len(axis["name"]) == 1 else kinds.get(axis.get("type"), "?")


def _scale(image: dict[str, Any], rank: int) -> list[float]:
    """Multiply the scales that are applied one after another, in 0.6 also within sequences."""
    lengths = [1.0] * rank
    for transformation in image.get("coordinateTransformations", []):
        inner = {"coordinateTransformations": transformation.get("transformations", [])}
        scale = transformation["scale"] if transformation["type"] == "scale" else _scale(inner, rank)
        lengths = [one * other for one, other in zip(lengths, scale, strict=True)]
    return lengths


def _stored(array: zarr.Array, path: Path) -> frozenset[str]:
    """List the files of chunks or shards that are there, and say how many are not."""
    folder = path / array.path
    chunks = frozenset(
        os.path.join(parent, name)  # noqa: PTH118 - there may be millions
        for parent, _, names in os.walk(folder)
        for name in names
        if name not in METADATA
    )
    stored = array.shards or array.chunks
    expected = math.prod(-(-length // step) for length, step in zip(array.shape, stored, strict=True))
    say_missing(str(folder), max(0, expected - len(chunks)), expected, str(array.fill_value))
    return chunks
