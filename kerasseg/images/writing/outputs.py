"""Files that a command writes: their format by their name, and all of them at once or none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasseg import locks
from kerasseg.errors import UserError, unwritable
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.images.writing.zarr import write_zarr

WRITERS = {
    ".ome.tif": write_tiff,
    ".ome.tiff": write_tiff,
    ".ome.zarr": write_zarr,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".zarr": write_zarr,
}
"""What writes an image, by the ending of its name."""


def ending(path: Path) -> str:
    """Give the ending by which an image's format is known.

    Raises
    ------
    UserError
        If nothing here writes such a file.
    """
    for suffix in WRITERS:
        if path.name.endswith(suffix):
            return suffix
    raise UserError(f"{path}: expected a name that ends in one of {', '.join(WRITERS)}")


def write(path: Path, result: Result) -> None:
    """Write an image in the format of its name; see `write_tiff` and `write_zarr`."""
    WRITERS[ending(path)](path, result)


def check_free(paths: tuple[Path, ...], overwrite: bool) -> None:
    """Refuse to replace what is there, unless that was asked for.

    Raises
    ------
    UserError
        That names all files that are there; a folder that is no Zarr is never replaced.
    """
    folders = [path for path in paths if path.is_dir() and not is_zarr(path)]
    there = [path for path in paths if path.exists() and path not in folders and not overwrite]
    messages = [f"{path}: it is a folder and no Zarr; give another name" for path in folders]
    messages += [f"{path}: it exists; replace it by --overwrite, or give another name" for path in there]
    if messages:
        raise UserError(*messages)


@contextmanager
def appearing(*paths: Path) -> Iterator[Path]:
    """Yield a hidden folder to write files of these names in; they take their places when all went well.

    Parameters
    ----------
    *paths : Path
        In one folder, which is made where it is missing; what is there is replaced.

    Raises
    ------
    UserError
        If they cannot be written; `Busy` if another process is at work there.
    """
    unfinished = paths[0].with_name(f".{paths[0].name}.unfinished")
    with locks.held(unfinished.with_suffix(".lock"), paths[0]):
        try:
            shutil.rmtree(unfinished, ignore_errors=True)  # left by a kill
            unfinished.mkdir()
            yield unfinished
            for path in paths:
                if is_zarr(path):
                    shutil.rmtree(path)
                (unfinished / path.name).replace(path)
        except OSError as error:
            raise unwritable(paths[0], error) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
