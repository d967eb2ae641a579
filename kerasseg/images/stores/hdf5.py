"""HDF5, as far as one image in it needs: which dataset, its axes, the size of its voxels, and its chunks.

Such files are written by ilastik, plant-seg, ImageJ and by scripts, each in its own layout. What they share
is an array under a name and, at it, ``element_size_um`` (z, y, x). Nothing is read from any other file than
the one that was named. `h5py` is imported where it is used: nobody waits for it who has none of these files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.calibration import micrometres
from kerasseg.images.headers import MAX_PIXELS
from kerasseg.images.stores.axes import SPACE
from kerasseg.images.stores.blocks import Blocks, Index, say_missing
from kerasseg.images.tiff import DAMAGES

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5")
MAGIC = b"\x89HDF\r\n\x1a\n"
PIECE_BYTES = 2**19  # read at once of a dataset that lies in one piece
SIZES = "element_size_um"
AXES = "axistags"  # vigra's and ilastik's: JSON
MOST_CHANNELS = 4  # that a last axis without a name is taken for


def is_hdf5(path: Path) -> bool:
    """Tell whether a file is HDF5 or says so by its name."""
    if path.suffix.lower() in SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file to read; what HDF5 complains of becomes a UserError that names the file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except DAMAGES as error:
        raise UserError(
            f"{path}: this is not an HDF5 file, or it is damaged or truncated ({error}); copy or "
            "write it again"
        ) from error


def chosen(file: h5py.File, path: Path, dataset: str | None) -> h5py.Dataset:
    """Find the dataset that is named, or the only one that can be an image.

    Parameters
    ----------
    dataset : str or None
        Its name, with those of its groups; None takes the only one with 2 to 5 axes.

    Raises
    ------
    UserError
        If there is none or several, or what is there leads to another file.
    """
    there = _datasets(file)
    images = {name: node for name, node in there.items() if _is_numbers(node) and 2 <= node.ndim <= 5}
    if dataset is None and len(images) == 1:
        return _inside(*images.values(), path)
    listed = ", ".join(f"{name} ({_shown(node)})" for name, node in images.items()) or "no image at all"
    if dataset is None and not images:
        others = ", ".join(f"{name} ({_shown(node)})" for name, node in there.items()) or "nothing"
        raise UserError(f"{path}: the HDF5 file holds {others}; expected one dataset of 2 to 5 axes")
    if dataset is None:
        first = min(images, key=lambda name: not name.endswith("raw"))
        raise UserError(
            f"{path}: the HDF5 file holds {listed}; expected one dataset of 2 to 5 axes. Name one, "
            f'such as dataset="{first}", or {path.name}:{first} on the command line'
        )
    name = dataset.strip("/")
    if name not in there:
        raise UserError(f"{path}: {_why_not(file, name)}; it holds {listed}. Name one of these")
    return _inside(there[name], path)


def axes_of(dataset: h5py.Dataset) -> str:
    """Name the axes of a dataset, a letter for each: those that its writer says, or the usual ones.

    Without tags they are read as ilastik reads them (`lazyflow.utility.helpers.get_default_axisordering`):
    a last axis of at most 4 is channels, and five axes are TZYXC, which its plugin for Fiji writes. Four axes
    with a longer last one are ``?``, though ilastik takes it for channels: only their user knows.
    """
    try:
        tags = "".join(axis["key"].upper() for axis in json.loads(dataset.attrs[AXES])["axes"])
    except (LookupError, TypeError, ValueError, AttributeError):
        tags = ""
    if len(tags) == dataset.ndim:
        return tags
    if dataset.ndim == 5:
        return "TZYXC"
    if dataset.ndim in (3, 4) and dataset.shape[-1] <= MOST_CHANNELS:
        return SPACE[1 - dataset.ndim :] + "C"
    return SPACE[-dataset.ndim :] if dataset.ndim <= len(SPACE) else "?" * dataset.ndim


def sizes_of(dataset: h5py.Dataset) -> dict[str, float | None]:
    """Read micrometres a voxel along Z, Y and X, where the file says so."""
    try:
        lengths = [float(length) for length in dataset.attrs.get(SIZES, ())]
    except (TypeError, ValueError, OSError):
        return {}  # metadata that are broken are no reason to refuse the pixels
    if len(lengths) not in (2, 3):
        return {}
    named = zip(SPACE[-len(lengths) :], lengths, strict=True)
    return {axis: micrometres(length, "um") for axis, length in named}


def blocks_of(dataset: h5py.Dataset, path: Path, columns: int) -> Blocks:
    """Make an array that reads the chunks of a dataset, or pieces of one that has none.

    Chunks that were never written hold the fill value, which is said.

    Parameters
    ----------
    dataset : h5py.Dataset
        Its file stays open as long as the array is read.

    Raises
    ------
    UserError
        If chunks are absurdly large, or compressed in a way that HDF5 does not know here.
    """
    block = dataset.chunks or _piece(dataset)
    if math.prod(block) > MAX_PIXELS:
        raise UserError(f"{path}: a chunk holds {block} pixels; expected at most {MAX_PIXELS:,}")
    _check_filters(dataset, path)
    _say_missing(dataset, path)

    def decode(index: Index) -> np.ndarray:
        part = (slice(place * step, (place + 1) * step) for place, step in zip(index, block, strict=True))
        return dataset[tuple(part)]

    return Blocks(dataset.shape, block, dataset.dtype.newbyteorder("="), decode, columns)


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """List what lies in this very file: HDF5 visits no links, which may lead to others."""
    import h5py

    nodes: dict[str, h5py.Group | h5py.Dataset] = {}
    file.visititems(nodes.__setitem__)
    return {name: node for name, node in nodes.items() if isinstance(node, h5py.Dataset)}


def _inside(dataset: h5py.Dataset, path: Path) -> h5py.Dataset:
    if dataset.is_virtual or dataset.external:
        raise UserError(
            f"{path}: the pixels of {dataset.name} lie in other files (a virtual or external dataset), "
            "which are not read. Copy them into one file"
        )
    if not (dataset.shape and _is_numbers(dataset)):
        raise UserError(f"{path}: {dataset.name} holds {_shown(dataset)}; expected an array of real numbers")
    return dataset


def _is_numbers(dataset: h5py.Dataset) -> bool:
    return dataset.dtype.kind in "buif"


def _why_not(file: h5py.File, name: str) -> str:
    """Say why a name is not that of a dataset in this file, without following any link."""
    import h5py

    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        link = file.get("/".join(parts[:depth]), getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return f"{name!r} leads to another file, {link.filename}, and only the file itself is read"
        if not isinstance(link, h5py.HardLink):
            break
    return f"there is no dataset {name!r}"


def _shown(dataset: h5py.Dataset) -> str:
    return f"{' x '.join(map(str, dataset.shape or ('nothing',)))} {dataset.dtype}"


def _piece(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Cut a dataset that lies in one piece into parts of whole last axes, as far as these are short."""
    left, sides = max(1, PIECE_BYTES // dataset.dtype.itemsize), []
    for length in reversed(dataset.shape):
        sides.append(max(1, min(length, left)))
        left = max(1, left // sides[-1])
    return tuple(reversed(sides))


def _check_filters(dataset: h5py.Dataset, path: Path) -> None:
    """Refuse a compression that nothing here decodes, before the first pixel is asked for."""
    import h5py

    settings = dataset.id.get_create_plist()
    filters = (settings.get_filter(number) for number in range(settings.get_nfilters()))
    unknown = [f"{name.decode()} ({code})" for code, _, _, name in filters if not h5py.h5z.filter_avail(code)]
    if unknown:
        raise UserError(
            f"{path}: {dataset.name} is compressed by {', '.join(unknown)}, which HDF5 cannot decode here; "
            "write it again with gzip, such as by h5repack -f GZIP=4"
        )


def _say_missing(dataset: h5py.Dataset, path: Path) -> None:
    grid = (-(-length // step) for length, step in zip(dataset.shape, dataset.chunks or (), strict=False))
    expected = math.prod(grid)
    there = dataset.id.get_num_chunks() if dataset.chunks else int(dataset.id.get_storage_size() > 0)
    say_missing(f"{path}:{dataset.name[1:]}", max(0, expected - there), expected, str(dataset.fillvalue))
