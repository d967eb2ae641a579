"""Where patches lie and what they hold: outside the image it is mirrored, and there is nothing to learn.

All of it is of any rank: sizes, origins and patches have a number for each of the image's axes in space, and
masks may carry a last axis more, of classes that do not exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np

from kerasseg.images.masks import IGNORE
from kerasseg.images.padding import cut
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Region

PIECE = 1024  # pixels of a row that are counted together

Place = tuple[int, ...]


class Regions:
    """What slices like an array, and reads what is sliced.

    Parameters
    ----------
    read : callable
        From a region, a slice for each axis in space, to its pixels.
    shape : tuple of int
        Of the whole; channels, or classes, last.
    """

    def __init__(self, read: Callable[[Region], np.ndarray], shape: Place) -> None:
        self.read, self.shape = read, tuple(shape)

    def __getitem__(self, region: Region) -> np.ndarray:
        return self.read(region)


class Foreground:
    """Where a mask has foreground, counted by pieces of rows: any pixel of it is found at once, of any size.

    It takes a hundredth of the mask's memory and does not hold the mask, so it can be kept where that cannot.

    Parameters
    ----------
    mask : numpy.ndarray or Regions, shape (Y, X), (Z, Y, X) or with a last axis of K, uint8
        0 is background, 255 is ignore.
    rank : int
        How many of its axes are in space.
    bands : iterable of tuple of slice, optional
        The parts in which it is looked at, of whole rows; by default all at once.
    """

    def __init__(self, mask: np.ndarray | Regions, rank: int, bands: Iterable[Region] | None = None) -> None:
        *rows, width = mask.shape[:rank]
        pieces = list(cuts(width, PIECE))
        counts = np.zeros((*rows, len(pieces)), np.uint16)
        for band in [(slice(None),) * rank] if bands is None else bands:
            there = _is_foreground(mask[band], rank)
            if there.any():
                for number, piece in enumerate(pieces):
                    counts[(*band[:-1], number)] = np.count_nonzero(there[..., piece], axis=-1)
        self._shape = counts.shape
        self._ends = counts.cumsum(dtype=np.int64)

    def draw(self, mask: np.ndarray | Regions, rng: np.random.Generator) -> Place | None:
        """Choose one pixel of the foreground of that mask, all of them alike; None where there is none."""
        if not self._ends[-1]:
            return None
        number = int(rng.integers(self._ends[-1]))
        index = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[index - 1]) if index else 0
        *place, piece = map(int, np.unravel_index(index, self._shape))
        row = (*(slice(at, at + 1) for at in place), slice(piece * PIECE, (piece + 1) * PIECE))
        columns = np.flatnonzero(_is_foreground(mask[row], len(row)))
        return (*place, piece * PIECE + int(columns[number - before]))


def random_origin(size: Place, patch: Place, rng: np.random.Generator, centre: Place | None = None) -> Place:
    """Choose where to cut a patch for training.

    Parameters
    ----------
    size, patch : tuple of int
        Of the image and of the patch.
    rng : numpy.random.Generator
        Decides.
    centre : tuple of int, optional
        The pixel that the patch is centred on, as far as the borders allow; by default it lies anywhere.

    Returns
    -------
    tuple of int
        The patch's first pixel. The patch lies inside the image where it fits, and around it where it does
        not: anywhere around it, for what a model answers at the end of a patch, where it sees nothing beyond,
        must be learnt as well.
    """
    origin = []
    for axis, (side, length) in enumerate(zip(size, patch, strict=True)):
        room = side - length  # negative where the patch is larger than the image
        if centre is None or room < 0:
            origin.append(int(rng.integers(min(room, 0), max(room, 0) + 1)))
        else:
            origin.append(min(max(centre[axis] - length // 2, 0), room))
    return tuple(origin)


def grid(size: Place, patch: Place) -> Iterator[Place]:
    """Yield origins of patches side by side that hold every pixel of an image of `size` exactly once."""
    return product(*(range(0, s, p) for s, p in zip(size, patch, strict=True)))


def cut_patch(
    image: np.ndarray | Regions, mask: np.ndarray | Regions, origin: Place, patch: Place
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a patch out of an image and its mask.

    Parameters
    ----------
    image : numpy.ndarray or Regions, shape (Y, X, C) or (Z, Y, X, C)
        Mirrored outside its borders, and mirrored again where the patch reaches farther than that.
    mask : numpy.ndarray or Regions, shape (Y, X), (Z, Y, X) or with a last axis of K, uint8
        255 (ignore) outside its borders.
    origin : tuple of int
        The patch's first pixel; it may lie outside.
    patch : tuple of int
        Size of the patch.

    Returns
    -------
    tuple of numpy.ndarray
        Views where the patch lies inside.
    """
    source = tuple(slice(first, first + side) for first, side in zip(origin, patch, strict=True))
    inside = tuple(
        slice(max(part.start, 0), min(part.stop, size))
        for part, size in zip(source, mask.shape, strict=False)
    )
    if inside == source:
        return image[source], mask[source]
    known = tuple(slice(p.start - first, p.stop - first) for p, first in zip(inside, origin, strict=True))
    cut_mask = np.full((*patch, *mask.shape[len(patch) :]), IGNORE, np.uint8)
    cut_mask[known] = mask[inside]
    return cut(image, source), cut_mask


def _is_foreground(mask: np.ndarray, rank: int) -> np.ndarray:
    """Tell where a mask of so many axes in space is of any class."""
    if mask.ndim > rank:  # channel by channel takes half of the time that any() takes
        return np.logical_or.reduce([_is_foreground(channel, rank) for channel in np.moveaxis(mask, -1, 0)])
    return (mask > 0) & (mask < IGNORE)
