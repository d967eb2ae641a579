"""A folder of slices: 2-D images of one size and type, a plane each, in the order that their names count.

``plane2.tif`` comes before ``plane10.tif``. A plane that was lost when the folder was copied would move all
others by one, and a folder of unrelated images would make a volume too: so names may differ by numbers only,
and the numbers must go up by equal steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import calibration, files, folders, tiff
from kerasseg.images.headers import Header
from kerasseg.images.stores.blocks import Blocks, Index

Read = Callable[[Path], np.ndarray]


@dataclass(frozen=True)
class Planes:
    """The planes of a folder, checked by their names and headers.

    Attributes
    ----------
    paths : list of Path
        In the order of planes.
    shape : tuple of int
        (Z, Y, X, C).
    dtype : numpy.dtype
        Of a pixel.
    read : callable
        From a path to its plane (Y, X, C).
    """

    paths: list[Path]
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Read


def opened(folder: Path, read: Read = files.read) -> Planes:
    """Find the slices in a folder; folders in it are not looked into.

    Parameters
    ----------
    folder : Path
        Holds PNG, JPEG, BMP or TIFF files, and maybe others, which are left alone.
    read : callable
        `kerasseg.images.files.read`, or `read_values` for the very numbers that are stored.

    Raises
    ------
    UserError
        If there are none, their names do not count planes, or some are unlike the others; all at once.
    """
    here = folders.entries(folder)
    paths = [path for path in here if path.suffix.lower() in files.SUFFIXES]
    folders.say_left_alone(folder, (path for path in here if path not in paths and not path.is_dir()))
    paths.sort(key=lambda path: (_numbers(path), path.name))
    if not paths:
        raise UserError(
            f"{folder}: this folder is neither a Zarr nor a folder of slices; expected a 2-D image for "
            f"each plane, as {', '.join(files.SUFFIXES)}"
        )
    _check_series(paths, folder)
    mistakes = [*_miscounted(paths, folder), *_unlike(paths)]
    if mistakes:
        raise UserError(*mistakes)
    return _planes(paths, read)


def axes_of(axes: str | None) -> str:
    """Name the four axes of the planes, of which a user names all or all but the channels of each file."""
    return axes if axes and len(axes) == 4 else (axes or "ZYX") + "S"


def sizes_of(planes: Planes) -> dict[str, float | None]:
    """Read micrometres a pixel along Y and X, and where the first plane says so, along Z."""
    first = planes.paths[0]
    if files.format_of(first) is not tiff:
        return {}
    with tiff.opened(first) as file:
        return dict(zip("ZYX", calibration.of_tiff(file, "ZYX"), strict=True))


def blocks_of(planes: Planes, columns: int) -> Blocks:
    """Make an array (Z, Y, X, C) of which each plane is a block.

    Parameters
    ----------
    planes : Planes
        See :func:`opened`.
    """

    def decode(index: Index) -> np.ndarray:
        path = planes.paths[index[0]]
        plane = planes.read(path)
        if (plane.shape, plane.dtype) != (planes.shape[1:], planes.dtype):
            raise ValueError(f"{path} is {plane.shape} {plane.dtype}, unlike the first plane")
        return plane[np.newaxis]

    return Blocks(planes.shape, (1, *planes.shape[1:]), planes.dtype, decode, columns)


def _planes(paths: list[Path], read: Read) -> Planes:
    """Tell the shape: intensities by a header, the very numbers by the first plane itself."""
    if read is files.read:
        header = files.header(paths[0])
        return Planes(paths, (len(paths), *header.size, header.channels), header.dtype, read)
    first = read(paths[0])
    return Planes(paths, (len(paths), *first.shape), first.dtype, read)


def _parts(path: Path) -> list[str]:
    """Cut a name into texts and, between these, numbers."""
    return re.split(r"(\d+)", path.name.lower())


def _numbers(path: Path) -> list[int]:
    return list(map(int, _parts(path)[1::2]))


def _check_series(paths: list[Path], folder: Path) -> None:
    """Refuse names that do not belong to each other: such images are not planes, whatever their sizes."""
    first, *others = paths
    strange = [path.name for path in others if _parts(path)[::2] != _parts(first)[::2]]
    if strange:
        raise UserError(
            f"{folder}: {first.name} and {strange[0]} differ by more than numbers; expected slices of one "
            "volume, such as z1.tif to z60.tif. Move other images away, or give folders of volumes one by one"
        )


def _miscounted(paths: list[Path], folder: Path) -> Iterator[str]:
    """Say where a plane is there twice, or planes are missing between two others."""
    columns = zip(*map(_numbers, paths), strict=True)
    counted = next((column for column in columns if len(set(column)) > 1), (0,) * len(paths))
    steps = [after - before for before, after in pairwise(counted)]
    usual = Counter(steps).most_common(1)[0][0] if steps else 1
    for step, (before, after) in zip(steps, pairwise(path.name for path in paths), strict=True):
        if step == 0:
            yield (
                f"{folder}: {before} and {after} have the same plane number; expected the first number that "
                "differs to count planes. Give each channel or position a folder of its own"
            )
            return
        if 0 not in steps and step != usual:
            yield (
                f"{folder}: planes are missing between {before} and {after}; expected numbers that go up by "
                f"{usual}. Copy the folder again, or count its planes anew"
            )


def _unlike(paths: list[Path]) -> Iterator[str]:
    """Say which planes have another size or type than most, by their headers."""
    headers: list[Header] = []
    for path in paths:
        try:
            headers.append(files.header(path))
        except UserError as error:
            yield from error.messages
    most = Counter(map(_shown, headers)).most_common(1)
    for header in headers:
        if header.pages > 1:
            yield f"{header.path}: the file is a stack of {header.pages} planes; expected a 2-D image"
        elif _shown(header) != most[0][0]:
            yield f"{header.path}: this plane is {_shown(header)}, most are {most[0][0]}; expected all alike"


def _shown(header: Header) -> str:
    return f"{' x '.join(map(str, (*header.size, header.channels)))} {header.dtype}"
