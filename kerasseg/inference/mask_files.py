"""Masks in memory to files and back, in the formats and under the names of `kerasseg predict`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kerasseg.annotations.label_images import read_labels
from kerasseg.annotations.masks import write_mask
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.stores.store import Region, open_store
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.inference.large_image import PIXELS

PICTURE, STACK = f".mask{PIXELS['png']}", f".mask{PIXELS['tiff']}"


def write(
    stem: Path,
    mask: np.ndarray | OnDisk,
    classes: Sequence[str],
    *,
    exclusive: bool = True,
    spacing: Sequence[float] | None = None,
) -> None:
    """Write a predicted mask: ``<stem>.mask.png`` of an image, ``<stem>.mask.ome.tif`` of what has more axes.

    What lies on the disk is too large for a PNG, and is written as OME-TIFF too.

    Parameters
    ----------
    stem : Path
        The file without its suffix.
    mask : numpy.ndarray or OnDisk
        (Y, X) or (Z, Y, X) uint8 class ids; where classes do not exclude each other (..., K) of 0 and 1, and
        they become channels with the classes' names.
    classes : sequence of str
        Names of the K foreground classes.
    exclusive : bool
        Whether a pixel is of one class at most.
    spacing : sequence of float, optional
        Size of a pixel along each axis, in micrometres.
    """
    space = mask.shape if exclusive else mask.shape[:-1]
    if exclusive and len(space) == 2 and isinstance(mask, np.ndarray):
        return write_mask(_named(stem, PICTURE), mask)
    axes = "ZYX"[-len(space) :] + ("" if exclusive else "C")
    names = () if exclusive else tuple(classes)
    size = tuple(spacing or (None,) * len(space))
    write_tiff(_named(stem, STACK), Result(mask, axes, size, "nearest", names))


@contextmanager
def unfinished(
    stem: Path, size: Sequence[int], classes: Sequence[str], *, exclusive: bool
) -> Iterator[OnDisk]:
    """Make a mask on the disk, to be filled and given to `write`; it is gone after the ``with``."""
    path = stem.with_name(f".{stem.name}.unfinished.npy")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield ondisk.create(path, np.dtype(np.uint8), (*size, *([] if exclusive else [len(classes)])))
    finally:
        path.unlink(missing_ok=True)


def read(stem: Path, region: Region | None = None, *, exclusive: bool = True) -> np.ndarray:
    """Read a mask that `write` has written, as it was given; or a region of a large one."""
    picture = _named(stem, PICTURE)
    if picture.exists():
        mask = read_labels(picture).astype(np.uint8)
        return mask if region is None else mask[region]
    with open_store(_named(stem, STACK)) as store:
        mask = store.read(region or (slice(None),) * (len(store.shape) - 1))
    return mask[..., 0] if exclusive else mask


def _named(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)
