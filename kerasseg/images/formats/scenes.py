"""Microscopes' and medicine's own formats: which there are, how they are told apart, and one image of a file.

A library reads each format: the extra ``formats``. It is imported where a file is opened: nobody needs one
who has no such file. The modules beside this one adapt them: ``opened(path, name)`` gives a `Scene`.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.headers import MAX_PIXELS, Header, as_intensities, intensity_type, sane
from kerasseg.images.stores.axes import arrangement
from kerasseg.images.stores.blocks import Blocks, Index
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
    alike = (format for format in FORMATS if re.match(format.magic, start, re.DOTALL))
    return next((format for format in alike if not format.is_named or name.endswith(format.suffixes)), None)


@contextmanager
def opened(path: Path, name: str | None = None) -> Iterator[Scene]:
    """Open one image of a file, to read it by region.

    Parameters
    ----------
    name : str, optional
        Which of several scenes, positions or images, by its name or, where no name is so, its number from 0.

    Raises
    ------
    UserError
        If the library is not installed, the file is damaged, or it holds several images and none is named.
    """
    kind = format_of(path)
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
            intensity_type(scene.dtype)
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


@dataclass(frozen=True)
class Scene:
    """An image of any size whose blocks are read one by one.

    Attributes
    ----------
    axes : str
        A letter for each axis; ``?`` where the file names none.
    shape, block : tuple of int
        Lengths of the image and of what is read at once.
    dtype : numpy.dtype
        Of a pixel.
    decode : callable
        From a block's place in the grid of blocks to its pixels, of shape `block` or cut off at the end; it
        is called from one thread at a time.
    sizes : dict of str to float or None
        Micrometres a pixel along the axes that have a length.
    """

    axes: str
    shape: tuple[int, ...]
    block: tuple[int, ...]
    dtype: np.dtype
    decode: Callable[[Index], np.ndarray]
    sizes: dict[str, float | None] = field(default_factory=dict)


def chosen(names: Sequence[str], wanted: str | None, path: Path) -> int:
    """Find the scene that is named, or the only one.

    Parameters
    ----------
    names : sequence of str
        Of the file's scenes; empty or repeated ones are called by number.
    wanted : str or None
        A name, or a number from 0 where no name is so.

    Returns
    -------
    int
        Its place in `names`.

    Raises
    ------
    UserError
        If there is none of that name, or several and none is named.
    """
    unique = len(set(names)) == len(names) and all(names)
    called = list(names) if unique else [str(number) for number in range(len(names))]
    if not called:
        raise UserError(f"{path}: the file holds no image; expected one")
    if wanted is None and len(called) == 1:
        return 0
    if wanted in called:
        return called.index(wanted)
    if wanted is not None and wanted.isdecimal() and int(wanted) < len(called):
        return int(wanted)
    listed = ", ".join(called[:20]) + (f" and {len(called) - 20} more" if called[20:] else "")
    wrong = "expected one" if wanted is None else f"none is named {wanted!r}"
    raise UserError(
        f"{path}: its images are {listed}; {wrong}. Name one, such as {path.name}:{called[0]} on the command "
        f'line, or dataset="{called[0]}"'
    )


def part(index: Index, block: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """Find where a block lies in the image."""
    starts = [place * step for place, step in zip(index, block, strict=True)]
    return tuple(
        slice(start, min(start + step, length))
        for start, step, length in zip(starts, block, shape, strict=True)
    )


def planes(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]) -> Callable[[Index], np.ndarray]:
    """Read planes, which are stored as they are, from where a file now is.

    Raises
    ------
    EOFError
        If the file ends before the last.
    """
    start, pixels = file.tell(), math.prod(shape[-2:])
    length = os.fstat(file.fileno()).st_size
    if start + math.prod(shape) * dtype.itemsize > length:
        raise EOFError(f"it holds {length - start} of {math.prod(shape) * dtype.itemsize} bytes")

    def decode(index: Index) -> np.ndarray:
        plane = int(np.ravel_multi_index(index[:-2], shape[:-2])) if len(shape) > 2 else 0
        file.seek(start + plane * pixels * dtype.itemsize)
        stored = np.fromfile(file, dtype, pixels)
        return stored.reshape(*(1 for _ in shape[:-2]), *shape[-2:])

    return decode


def blocks_of(scene: Scene, path: Path, columns: int) -> Blocks:
    """Make an array that reads a scene by region, one block at a time: few of the libraries are thread-safe.

    Raises
    ------
    UserError
        If a block is absurdly large.
    """
    if math.prod(scene.block) > MAX_PIXELS:
        shown = " x ".join(map(str, scene.block))
        raise UserError(f"{path}: a plane holds {shown} pixels; expected at most {MAX_PIXELS:,}")
    lock = Lock()

    def decode(index: Index) -> np.ndarray:
        with lock:
            return scene.decode(index)

    return Blocks(scene.shape, scene.block, scene.dtype, decode, columns)


def header(path: Path) -> Header:
    """Read what a file says about its image; a stack has several pages.

    Raises
    ------
    UserError
        If the file is damaged, holds several images, or its library is not installed.
    """
    with opened(path) as scene:
        lengths = dict(zip(scene.axes, scene.shape, strict=True))
        size, channels = (lengths["Y"], lengths["X"]), lengths.get("C", 1) * lengths.get("S", 1)
        planes = math.prod(scene.shape) // max(1, math.prod(size) * channels)
        return sane(Header(path, size, channels, intensity_type(scene.dtype), planes))


def read(path: Path) -> np.ndarray:
    """Read the one image (Y, X, C) of a file, as uint8, uint16 or float32.

    Raises
    ------
    UserError
        If the file holds a stack, or cannot be decoded.
    """
    return as_intensities(read_values(path))


def read_values(path: Path) -> np.ndarray:
    """Read the numbers (Y, X, C) that are stored; see :func:`read`."""
    with opened(path) as scene:
        arranged = arrangement(scene.axes, scene.shape, str(path))
        if len(arranged.space) > 2:
            shown = " x ".join(map(str, arranged.shape[:-1]))
            raise UserError(
                f"{path}: the file is a stack of {arranged.shape[0]} planes ({shown}); expected one 2-D "
                "image. Volumes are read by data.source.volumes"
            )
        blocks = blocks_of(scene, path, arranged.axes.index("X"))
        try:
            everywhere = tuple(slice(0, length) for length in arranged.shape[:-1])
            return arranged.arrange(blocks.read(arranged.region(everywhere)))
        finally:
            blocks.close()


def is_palette(path: Path) -> bool:
    """Tell that none of these formats stores indices into a palette."""
    return False
