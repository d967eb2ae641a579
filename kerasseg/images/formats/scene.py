"""One image in a microscope's file, as the library that reads it gives it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kerasseg.errors import UserError

Index = tuple[int, ...]


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
    path : Path
        For the message.

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
    called = list(names) if unique else [str(at) for at in range(len(names))]
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
    starts = [at * step for at, step in zip(index, block, strict=True)]
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
