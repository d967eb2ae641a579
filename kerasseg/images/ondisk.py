"""Arrays in files, of which memory holds only what is asked for.

A memory map alone holds every page that was ever touched, as long as the system has room. The system could
have them back, but they count as the program's, which then seems to need as much memory as its image.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.errors import unwritable

BLOCK = 2**20  # bytes


class OnDisk:
    """An array in a ``.npy`` file, read and written by slices.

    Parameters
    ----------
    mapped : numpy.memmap
        See `create` and `opened`.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    ndim, nbytes : int
        As those of an array.
    """

    def __init__(self, mapped: np.memmap) -> None:
        self._mapped = mapped
        self.shape, self.dtype = mapped.shape, mapped.dtype
        self.ndim, self.nbytes = mapped.ndim, mapped.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, region: Any) -> np.ndarray:
        """Copy what lies in a region, which is given as to an array."""
        values = np.array(self._mapped[region])
        self._let_go()
        return values

    def __setitem__(self, region: Any, values: np.ndarray) -> None:
        self._mapped[region] = values
        self._let_go()

    def flush(self) -> None:
        """Return when all that was written is on the disk."""
        self._mapped.flush()

    def _let_go(self) -> None:
        """Give pages back; what was written to them stays in the file."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self._mapped.base.madvise(mmap.MADV_DONTNEED)


class Channel:
    """One channel of an array whose last axis holds several, read and written by slices as the array is."""

    def __init__(self, pixels: OnDisk, channel: int) -> None:
        self._pixels, self._channel = pixels, channel
        self.shape, self.dtype = pixels.shape[:-1], pixels.dtype

    def __getitem__(self, region: Any) -> np.ndarray:
        return self._pixels[self._within(region)]

    def __setitem__(self, region: Any, values: np.ndarray) -> None:
        self._pixels[self._within(region)] = values

    def _within(self, region: Any) -> tuple[Any, ...]:
        return (*np.index_exp[region], ..., self._channel)


def create(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> OnDisk:
    """Make an array of zeros in a new file, which takes the place of one that is there.

    All its place on the disk is taken at once: where a mapped file has none, to write to it ends the program
    without a word (SIGBUS).

    Raises
    ------
    UserError
        If the disk has no place for it; the file is removed.
    """
    try:
        mapped = np.lib.format.open_memmap(path, "w+", dtype, shape)
        _allocate(path, mapped.offset)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    return OnDisk(mapped)


def _allocate(path: Path, start: int) -> None:
    """Take the disk's blocks for a file that so far has only a length, behind its header."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        file.seek(start)  # macOS and Windows
        for position in range(start, size, BLOCK):
            file.write(bytes(min(BLOCK, size - position)))


def opened(path: Path) -> OnDisk:
    """Open an array to read and write."""
    return OnDisk(np.lib.format.open_memmap(path, "r+"))
