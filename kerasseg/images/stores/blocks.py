"""An array that lies in blocks on a disk, read by region without ever being whole in memory.

A block is what is stored in one piece: a strip or tile of a TIFF, a chunk of a Zarr. Who predicts an image
reads it one row of tiles after another. So the blocks that the last region's rows touch are kept, at full
width, and all others forgotten: each block of a row of tiles is decoded once, those that two rows share are
not decoded again, and memory is bounded by a band.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from kerasseg.console import say

# A band is no longer kept once it takes this much: decoding twice is better than swapping.
CACHE_BYTES = 2**30

Index = tuple[int, ...]


class Blocks:
    """An array of any rank, cut into blocks of one shape; the last ones may be cut off by its end.

    Parameters
    ----------
    shape : tuple of int
        Of the whole array.
    block : tuple of int
        Shape of one block.
    dtype : numpy.dtype
        Of a pixel.
    decode : callable
        From a block's place in the grid of blocks to its pixels, of shape `block` or cut off at the end.
        It is called from several threads at a time.
    columns : int
        The axis along which a band of blocks runs: X.
    unwritten : callable, optional
        From a block's place to its pixels if it was never written, as most are of a sparse array, and None
        if it must be decoded.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        block: tuple[int, ...],
        dtype: np.dtype,
        decode: Callable[[Index], np.ndarray],
        columns: int,
        unwritten: Callable[[Index], np.ndarray | None] = lambda index: None,
    ) -> None:
        self.shape, self.block, self.dtype = tuple(shape), tuple(block), np.dtype(dtype)
        self._decode, self._columns, self._unwritten = decode, columns, unwritten
        self._kept: dict[Index, np.ndarray] = {}
        self._most = CACHE_BYTES // (math.prod(block) * self.dtype.itemsize)
        self._lock, self._threads = Lock(), ThreadPoolExecutor(min(4, os.cpu_count() or 1))

    def read(self, region: tuple[slice, ...]) -> np.ndarray:
        """Read a region.

        Parameters
        ----------
        region : tuple of slice
            One an axis, within the array, with a start and a stop.

        Returns
        -------
        numpy.ndarray
            A copy of the pixels there.
        """
        touched = [
            range(part.start // step, -(-part.stop // step))
            for part, step in zip(region, self.block, strict=True)
        ]
        pixels = np.empty([part.stop - part.start for part in region], self.dtype)
        with self._lock:
            self._forget_but(touched)
            indices = list(itertools.product(*touched))
            known = {index: self._kept.get(index, self._unwritten(index)) for index in indices}
            missing = [index for index, block in known.items() if block is None]
            fresh = dict(zip(missing, self._threads.map(self._decode, missing), strict=True))
            for index, block in (known | fresh).items():
                self._paste(pixels, region, index, block)
            room = max(0, self._most - len(self._kept))
            self._kept.update(itertools.islice(fresh.items(), room))
        return pixels

    def keep(self, most: int) -> None:
        """Keep at most so many bytes of blocks, for who reads here and there."""
        self._most = most // (math.prod(self.block) * self.dtype.itemsize)

    def close(self) -> None:
        """Forget all blocks and end the threads."""
        self._threads.shutdown()
        self._kept.clear()

    def _forget_but(self, touched: list[range]) -> None:
        """Keep the blocks of the band that is touched, wherever they lie along its width."""
        band = touched.copy()
        band[self._columns] = range(-(-self.shape[self._columns] // self.block[self._columns]))
        self._kept = {
            index: block
            for index, block in self._kept.items()
            if all(place in part for place, part in zip(index, band, strict=True))
        }

    def _paste(self, pixels: np.ndarray, region: tuple[slice, ...], index: Index, block: np.ndarray) -> None:
        """Copy what a block and a region share."""
        there, here = [], []
        for part, place, step in zip(region, index, self.block, strict=True):
            origin = place * step
            start, stop = max(part.start, origin), min(part.stop, origin + step)
            there.append(slice(start - part.start, stop - part.start))
            here.append(slice(start - origin, stop - origin))
        pixels[tuple(there)] = block[tuple(here)]


def cuts(length: int, step: int) -> Iterator[slice]:
    """Cut an axis into parts of so many pixels; the last may have fewer."""
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


MOST_SAID = 5  # arrays that are named, of a data set that may have thousands

_said: set[str] = set()


def say_missing(array: str, missing: int, expected: int, fill: str) -> None:
    """Say, once for each of the first arrays, how many chunks of HDF5 or Zarr are filled.

    Chunks that were never written hold the fill value, by the formats' own rule, and a lost chunk looks like
    one that its writer left out.
    """
    if missing == 0 or array in _said or len(_said) > MOST_SAID:
        return
    _said.add(array)
    if len(_said) > MOST_SAID:
        say(f"... and {array}; more arrays like these are not named")
        return
    say(
        f"{array}: {missing} of {expected} chunks are missing; they are read as {fill}, as the format says. "
        "If its writer never leaves chunks out, copy it again"
    )
