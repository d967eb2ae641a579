"""How an image inside a file is named, on the command line and in recipes: ``FILE:NAME``, ``FILE:t=3``.

A name is that of a dataset in HDF5, of an image or array in a Zarr, of a scene in a microscope's file. A
point of time is chosen by its number, from 0. Both may be there: ``FILE.czi:Scene 2,t=3``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from kerasseg.errors import UserError
from kerasseg.images import folders
from kerasseg.images.formats import scenes
from kerasseg.images.stores import hdf5
from kerasseg.images.stores.omezarr import is_zarr

# Of files that may hold several.
SUFFIXES = (*hdf5.SUFFIXES, ".zarr", ".tif", ".tiff", ".lsm", ".stk", *scenes.SUFFIXES)


class Inside(NamedTuple):
    """Which of several images in a file: None where there is only one."""

    name: str | None = None
    time: int | None = None


def parted(path: Path) -> tuple[Path, str | None]:
    """Part a path as it is typed, ``FILE.h5:DATASET``, into the file and what is in it.

    Parameters
    ----------
    path : Path
        The colon is the one after the suffix, so that a drive's (``C:``) is not one.

    Returns
    -------
    inside : str or None
        None where nothing is named, or where a file has this very name. See `inside`.

    Examples
    --------
    >>> parted(Path("cells.h5:volumes/raw"))
    (PosixPath('cells.h5'), 'volumes/raw')
    """
    suffixes = "|".join(map(re.escape, SUFFIXES))
    match = re.fullmatch(rf"(.+?(?:{suffixes})):(.+)", path.as_posix(), re.IGNORECASE)
    return (path, None) if match is None or path.exists() else (Path(match[1]), match[2])


def inside(typed: str | None) -> Inside:
    """Read what stands behind the colon.

    Raises
    ------
    UserError
        If a point of time is not a number.

    Examples
    --------
    >>> inside("Scene 2,t=3")
    Inside(name='Scene 2', time=3)
    """
    match = re.fullmatch(r"(?:(.*?),)?\s*t=(.*)", typed or "", re.IGNORECASE)
    if match is None:
        return Inside(typed)
    if not match[2].isdecimal():
        raise UserError(
            f"{typed}: t={match[2]} is not a point of time; expected a number from 0, such as t=0"
        )
    return Inside(match[1], int(match[2]))


def file_signature(image: Path) -> dict[str, Any]:
    """Say what an image is recognised by: where it lies, how long its file is, when it was changed.

    Of a folder of planes it is how long they are together, and when the last of them was changed.

    Raises
    ------
    UserError
        If there is no such file, or its link leads nowhere.
    """
    file, _ = parted(image)
    if not file.exists():
        reason = f"a link to {file.readlink()}, where nothing is" if file.is_symlink() else "no such file"
        raise UserError(f"{file}: there is {reason}")
    inside = folders.entries(file) if file.is_dir() and not is_zarr(file) else []
    states = [part.stat() for part in (file, *inside) if part.exists()]  # a link may lead nowhere
    changed = max(state.st_mtime_ns for state in states)
    return {
        "path": str(image.resolve()),
        "bytes": sum(state.st_size for state in states),
        "changed": changed,
    }
