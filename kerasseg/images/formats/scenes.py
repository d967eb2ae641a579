"""Microscopes' files as 2-D images, as `kerasseg.images.tiff` reads TIFF, and as blocks of larger ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.dtypes import as_intensities, intensity_type
from kerasseg.images.formats import table
from kerasseg.images.formats.scene import Index, Scene
from kerasseg.images.header import MAX_PIXELS, Header, sane
from kerasseg.images.stores.axes import Arrangement, arrangement
from kerasseg.images.stores.blocks import Blocks


@contextmanager
def opened(path: Path, name: str | None = None) -> Iterator[Scene]:
    """Open one image of a file; see `kerasseg.images.formats.table.opened`."""
    with table.opened(path, table.format_of(path), name) as scene:
        intensity_type(scene.dtype)
        yield scene


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
        _check_flat(arranged, path)
        blocks = blocks_of(scene, path, arranged.axes.index("X"))
        try:
            everywhere = tuple(slice(0, length) for length in arranged.shape[:-1])
            return arranged.arrange(blocks.read(arranged.region(everywhere)))
        finally:
            blocks.close()


def is_palette(path: Path) -> bool:
    """Tell that none of these formats stores indices into a palette."""
    return False


def _check_flat(arranged: Arrangement, path: Path) -> None:
    if len(arranged.space) > 2:
        shown = " x ".join(map(str, arranged.shape[:-1]))
        raise UserError(
            f"{path}: the file is a stack of {arranged.shape[0]} planes ({shown}); expected one 2-D image. "
            "Volumes are read by data.source.volumes"
        )
