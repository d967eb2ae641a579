"""How an image inside a file is named, on the command line and in recipes: ``FILE:NAME``, ``FILE:t=3``.

A name is that of a dataset in HDF5, of an image or array in a Zarr, of a scene in a microscope's file. A
point of time is chosen by its number, from 0. Both may be there: ``FILE.czi:Scene 2,t=3``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from kerasseg.errors import UserError
from kerasseg.images.formats import table
from kerasseg.images.stores import hdf5

# Of files that may hold several.
SUFFIXES = (*hdf5.SUFFIXES, ".zarr", ".tif", ".tiff", ".lsm", ".stk", *table.SUFFIXES)


class Inside(NamedTuple):
    """Which of several images in a file: None where there is only one."""

    name: str | None = None
    time: int | None = None


def parted(path: Path) -> tuple[Path, str | None]:
    """Part a path as it is typed, ``FILE.h5:DATASET``, into the file and what is in it.

    Parameters
    ----------
    path : Path
        The colon is the one after the suffix, so that a drive's (``C:``) is none.

    Returns
    -------
    path : Path
        The file.
    inside : str or None
        None where nothing is named, or where a file has this very name. See `inside`.

    Examples
    --------
    >>> parted(Path("cells.h5:volumes/raw"))
    (PosixPath('cells.h5'), 'volumes/raw')
    """
    suffixes = "|".join(map(re.escape, SUFFIXES))
    found = re.fullmatch(rf"(.+?(?:{suffixes})):(.+)", path.as_posix(), re.IGNORECASE)
    return (path, None) if found is None or path.exists() else (Path(found[1]), found[2])


def inside(typed: str | None) -> Inside:
    """Read what stands behind the colon.

    Raises
    ------
    UserError
        If a point of time is no number.

    Examples
    --------
    >>> inside("Scene 2,t=3")
    Inside(name='Scene 2', time=3)
    """
    found = re.fullmatch(r"(?:(.*?),)?\s*t=(.*)", typed or "", re.IGNORECASE)
    if found is None:
        return Inside(typed)
    if not found[2].isdecimal():
        raise UserError(
            f"{typed}: t={found[2]} is not a point of time; expected a number from 0, such as t=0"
        )
    return Inside(found[1], int(found[2]))
