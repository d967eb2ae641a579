"""Which formats there are, how they are told apart, and which library reads each: the extra ``formats``.

The libraries are imported where a file is opened: nobody needs one who has no such file.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.formats.scene import Index, Scene
from kerasseg.images.tiff import DAMAGES


@dataclass(frozen=True)
class Format:
    """A format of images.

    Attributes
    ----------
    name : str
        As its makers call it.
    suffixes : tuple of str
        In lower case.
    magic : bytes
        A regular expression of how its files begin.
    module : str
        In this package, with a function ``opened(path, name)``.
    is_named : bool
        Whether a file must have one of the suffixes too, because other formats begin alike.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: bytes
    module: str
    is_named: bool = False


FORMATS = (
    Format("Zeiss CZI", (".czi",), rb"ZISRAWFILE", "czi"),
    Format("Nikon ND2", (".nd2",), rb"\xda\xce\xbe\x0a", "nikon"),
    Format("Nikon ND2 of the older kind", (".nd2",), rb"\0\0\0\x0cjP  ", "nikon", is_named=True),
    Format("Leica LIF", (".lif",), rb"\x70\0\0\0.{4}\x2a", "leica"),
    Format("MRC", (".mrc", ".map", ".rec"), rb".{208}MAP", "mrc"),
    Format("NIfTI", (".nii", ".nii.gz"), rb".{344}n\+1\0|.{4}n\+2\0", "nifti"),
    Format("NRRD", (".nrrd", ".nhdr"), rb"NRRD000", "nearly_raw"),
    Format("Olympus OIB", (".oib",), rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "olympus", is_named=True),
    Format("Olympus OIF", (".oif",), rb"\xff\xfe\[\0|\[", "olympus", is_named=True),
)
SUFFIXES = tuple(dict.fromkeys(suffix for each in FORMATS for suffix in each.suffixes))
HEADER_BYTES = 512


def format_of(path: Path) -> Format | None:
    """Tell which of these formats a file is, by its content and not by its name.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    Format or None
        None for files of other formats.
    """
    with path.open("rb") as file:
        return recognised(file.read(HEADER_BYTES), path)


def recognised(start: bytes, path: Path) -> Format | None:
    """Tell as `format_of` which format a file is, whose first ``HEADER_BYTES`` are known."""
    if start.startswith(b"\x1f\x8b"):
        start = _unpacked(path)
    name = path.name.lower()
    alike = (each for each in FORMATS if re.match(each.magic, start, re.DOTALL))
    return next((each for each in alike if not each.is_named or name.endswith(each.suffixes)), None)


@contextmanager
def opened(path: Path, kind: Format, name: str | None = None) -> Iterator[Scene]:
    """Open one image of a file, to read it by region.

    Parameters
    ----------
    path : Path
        The file.
    kind : Format
        See `format_of`.
    name : str, optional
        Which of several scenes, positions or images, by its name or, where no name is so, its number from 0.

    Raises
    ------
    UserError
        If the library is not installed, the file is damaged, or it holds several images and none is named.
    """
    try:
        adapter = import_module(f"kerasseg.images.formats.{kind.module}")
    except ImportError as error:
        raise UserError(
            f"{path}: this is {kind.name}, which needs the package {error.name}: "
            "pip install 'kerasseg[formats]'"
        ) from error
    damages = (*DAMAGES, AttributeError, SyntaxError, *adapter.DAMAGES)
    try:
        with adapter.opened(path, name) as scene:
            yield replace(scene, decode=_complaining(scene.decode, damages))
    except UserError:
        raise
    except damages as error:
        raise UserError(
            f"{path}: the {kind.name} file is damaged, truncated or of an unknown kind "
            f"({str(error) or type(error).__name__}); copy it again, or save it as OME-TIFF"
        ) from error


def _complaining(
    decode: Callable[[Index], np.ndarray], damages: tuple[type[Exception], ...]
) -> Callable[[Index], np.ndarray]:
    """Let a library complain of a damaged block as one of `kerasseg.images.tiff.DAMAGES`."""

    def decoded(index: Index) -> np.ndarray:
        try:
            return decode(index)
        except damages as error:
            raise OSError(str(error) or type(error).__name__) from error

    return decoded


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return b""
