"""A mask cleaned up class by class, and what is left of it numbered by size, band by band.

Labels are those of the whole mask, whatever the heights of the bands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.masks import IGNORE
from kerasseg.postprocess.components import CONNECTIVITIES, connected, without_ignored
from kerasseg.postprocess.pieces import count_pixels, write

GREYS = 1 << 16  # of 16 bits


@dataclass(frozen=True)
class CleanUp:
    """Which objects of a mask are kept.

    Attributes
    ----------
    classes : frozenset of int or None
        The classes whose objects are numbered; None for all.
    smallest : mapping of int to int
        For each class, the least number of pixels of an object that is kept.
    in_planes : bool
        Whether that is asked of the components of each plane by itself, which are dropped before the rest
        is connected through the volume.
    largest : mapping of int to int
        For each class, how many objects are kept, the largest ones.
    largest_of_all : int or None
        The same for all classes together.
    """

    classes: frozenset[int] | None = None
    smallest: Mapping[int, int] = field(default_factory=dict)
    in_planes: bool = False
    largest: Mapping[int, int] = field(default_factory=dict)
    largest_of_all: int | None = None

    def foreground(self, mask: np.ndarray, connectivity: int) -> np.ndarray:
        """Make background of what is of no object: (planes, Y, X) or (rows, X) uint8 class ids."""
        mask = without_ignored(mask)
        if self.classes is not None:
            mask = np.where(np.isin(mask, list(self.classes)), mask, 0)
        if self.in_planes:
            return np.stack([self._without_small(plane, 4 if connectivity == 6 else 8) for plane in mask])
        return mask

    def numbers(self, sizes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Number objects by size, the largest first, and of equal ones the first.

        Parameters
        ----------
        sizes : np.ndarray
            (N,) pixels of each object.
        classes : np.ndarray
            (N,) the class of each.

        Returns
        -------
        np.ndarray
            (N,) int32: 1 for the largest, 0 for what is dropped.
        """
        kept = np.ones(len(sizes), bool) if self.in_planes else sizes >= self._least(classes)
        order = np.argsort(-sizes, kind="stable")
        for of_class, most in self.largest.items():
            ranked = order[kept[order] & (classes[order] == of_class)]
            kept[ranked[most:]] = False
        ranked = order[kept[order]][: self.largest_of_all]
        numbers = np.zeros(len(sizes), np.int32)
        numbers[ranked] = np.arange(1, len(ranked) + 1)
        return numbers

    def _least(self, classes: np.ndarray) -> np.ndarray:
        return np.array([self.smallest.get(of_class, 0) for of_class in range(IGNORE + 1)])[classes]

    def _without_small(self, plane: np.ndarray, connectivity: int) -> np.ndarray:
        ids = connected(plane, connectivity)
        sizes, classes = count_pixels(plane, ids, len(plane))
        return plane * np.append(False, sizes >= self._least(classes))[ids]


class Objects(NamedTuple):
    """What was numbered 1..N, and how many others there were."""

    classes: np.ndarray  # (N,) class ids
    sizes: np.ndarray  # (N,) int64 pixels
    dropped: int


def by_size(
    mask: np.ndarray,
    *,
    connectivity: int | None = None,
    smallest: Sequence[int] = (),
    in_planes: bool = False,
    largest: int | Sequence[int | None] | None = None,
    only: Sequence[int] | None = None,
) -> np.ndarray:
    """Number the objects of a mask by size, those that are to be kept.

    Parameters
    ----------
    mask : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids; pixels of 255 (ignore) belong to no object.
    connectivity : {4, 8, 6, 18, 26}, optional
        How many neighbours a pixel has; the most by default.
    smallest : sequence of int
        For the classes 1, 2, ..., the least number of pixels of an object.
    in_planes : bool
        See `CleanUp`.
    largest : int or sequence of (int or None), optional
        How many objects are kept, of all classes together; or for the classes 1, 2, ..., None for all.
    only : sequence of int, optional
        The classes whose objects are numbered; all by default.

    Returns
    -------
    np.ndarray
        int32 of the mask's shape: 0 for background, 1 for the largest object, of equal ones the first.
    """
    labels = np.empty(mask.shape, np.int32)
    number_bands(
        [mask],
        labels,
        connectivity=connectivity,
        smallest=smallest,
        in_planes=in_planes,
        largest=largest,
        only=only,
    )
    return labels


def number_bands(
    bands: Iterable[np.ndarray],
    into: Any,
    *,
    connectivity: int | None = None,
    smallest: Sequence[int] = (),
    in_planes: bool = False,
    largest: int | Sequence[int | None] | None = None,
    only: Sequence[int] | None = None,
) -> int:
    """Number the objects of a mask that arrives in bands: see `by_size`.

    Parameters
    ----------
    bands, into
        As for `number_by_size`.
    connectivity, smallest, in_planes, largest, only
        As for the whole mask.

    Returns
    -------
    int
        The number of objects.

    Raises
    ------
    UserError
        As `number_by_size`.
    """
    each = enumerate(largest, start=1) if isinstance(largest, Sequence) else ()
    clean_up = CleanUp(
        classes=None if only is None else frozenset(only),
        smallest=dict(enumerate(smallest, start=1)),
        in_planes=in_planes,
        largest={of_class: most for of_class, most in each if most is not None},
        largest_of_all=None if isinstance(largest, Sequence) else largest,
    )
    neighbours = connectivity or CONNECTIVITIES[len(into.shape)][-1]
    return len(number_by_size(bands, into, clean_up, connectivity=neighbours).classes)


def number_by_size(
    masks: Iterable[np.ndarray],
    into: Any,
    clean_up: CleanUp,
    *,
    connectivity: int,
    greys: Iterable[np.ndarray] | None = None,
    delta: int = 0,
) -> Objects:
    """Number the objects of a mask that arrives in bands: 1 is the largest.

    Parameters
    ----------
    masks : iterable of np.ndarray
        (planes, Y, X) or (rows, X) uint8 class ids, from the first to the last; of any heights.
    into : array-like
        int32 of the whole mask's shape, read and written by slices.
    clean_up : CleanUp
        What is kept.
    connectivity : {4, 8, 6, 18, 26}
        How many neighbours a pixel has.
    greys : iterable of np.ndarray, optional
        uint8 or uint16 intensities, in bands as high as those of the mask. Neighbours of one class are
        connected then where theirs differ by no more than `delta`.
    delta : int
        See there.

    Returns
    -------
    Objects

    Raises
    ------
    UserError
        If `delta` is given without intensities, where it would connect classes with each other, or is below
        0; if intensities are of another type; as `kerasseg.postprocess.pieces.write`.
    """
    if delta < 0:
        raise UserError(f"a delta of {delta} was given; expected a difference of intensities, 0 or more")
    if delta and greys is None:
        raise UserError(
            f"a delta of {delta} was given for class ids, where it would melt classes into one object; give "
            "the grey values that it is about"
        )
    if len(into.shape) == 2:
        clean_up = replace(clean_up, in_planes=False)  # an image is a plane, which need not be in one band
    bands = (clean_up.foreground(mask, connectivity) for mask in masks)
    if greys is None:
        pieces = write(bands, into, connectivity)
        classes = pieces.object_values()
    else:
        delta = min(delta, GREYS)
        pieces = write(map(_keys, bands, greys, repeat(delta)), into, connectivity, delta)
        classes = (pieces.object_values() - 1) // (GREYS + delta)
    sizes = pieces.object_sizes()
    numbers = clean_up.numbers(sizes, classes)
    for _ in pieces.renumber(into, numbers):
        pass
    kept = np.flatnonzero(numbers)
    kept = kept[np.argsort(numbers[kept])]
    return Objects(classes[kept], sizes[kept], len(numbers) - len(kept))


def _keys(mask: np.ndarray, grey: np.ndarray, delta: int) -> np.ndarray:
    """Make one number of class and intensity; those of two classes differ by more than `delta`."""
    if grey.dtype not in (np.uint8, np.uint16):
        raise UserError(f"the grey values are {grey.dtype}; expected uint8 or uint16")
    if grey.shape != mask.shape:
        raise UserError(f"grey values of {grey.shape} pixels were given for a mask of {mask.shape}")
    return np.where(mask > 0, mask * np.uint32(GREYS + delta) + grey + np.uint32(1), 0)
