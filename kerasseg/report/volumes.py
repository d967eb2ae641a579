"""Volumes as a page can show them: three slices and three projections, at one scale and in their places.

xy | yz
---+---
xz |
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from kerasseg.images.preprocessing import resize, resize_mask
from kerasseg.masks import IGNORE

GAP = 8  # white pixels between panels
WHITE = 255


def place(mask: np.ndarray) -> tuple[int, int, int]:
    """Find the plane along each axis that holds most foreground; the middle ones where there is none.

    Parameters
    ----------
    mask : np.ndarray
        (Z, Y, X) uint8, 0 for background and 255 for ignore.

    Returns
    -------
    tuple of int
        Indices along z, y and x.
    """
    there = (mask > 0) & (mask != IGNORE)
    if not there.any():
        return tuple(side // 2 for side in mask.shape)
    others = ((1, 2), (0, 2), (0, 1))
    return tuple(int(there.sum(axis=axes).argmax()) for axes in others)


def slices(volume: np.ndarray, place: tuple[int, int, int]) -> list[np.ndarray]:
    """Cut (Z, Y, X, ...) through a place: xy (Y, X, ...), yz (Y, Z, ...) and xz (Z, X, ...)."""
    z, y, x = place
    return [volume[z], volume[:, :, x].swapaxes(0, 1), volume[:, y]]


def projections(volume: np.ndarray) -> list[np.ndarray]:
    """Take the maximum of (Z, Y, X, ...) along z, x and y: views as those of `slices`."""
    return [volume.max(axis=0), volume.max(axis=2).swapaxes(0, 1), volume.max(axis=1)]


def to_scale(views: Sequence[np.ndarray], spacing: Sequence[float] | None) -> list[np.ndarray]:
    """Stretch views so that a micrometre is equally long along every axis.

    Parameters
    ----------
    views : sequence of np.ndarray
        One or more times xy, yz and xz: of images, with a last axis of channels, or of masks, without one.
    spacing : sequence of float or None
        Size of a voxel along z, y and x; None takes voxels for cubes.

    Returns
    -------
    list of np.ndarray
        The finest axis keeps its pixels.
    """
    along_z, along_y, along_x = np.divide(spacing, min(spacing)) if spacing is not None else (1, 1, 1)
    stretches = ((along_y, along_x), (along_y, along_z), (along_z, along_x))
    return [_stretched(view, by) for view, by in zip(views, cycle(stretches), strict=False)]


def _stretched(view: np.ndarray, by: tuple[float, float]) -> np.ndarray:
    size = tuple(max(1, round(side * times)) for side, times in zip(view.shape[:2], by, strict=True))
    if view.ndim == 2:
        return resize_mask(view, size)
    return resize(np.ascontiguousarray(view), size)


def mounted(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) of the three views into their places: xy, yz right of it and xz below it."""
    xy, yz, xz = panels
    upper = beside([xy, yz])
    return below([upper, xz])


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) side by side, on white."""
    return below([picture.swapaxes(0, 1) for picture in pictures]).swapaxes(0, 1)


def below(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) one below the other, on white."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + GAP * (len(pictures) - 1)
    sheet, top = np.full((height, width, 3), WHITE, np.uint8), 0
    for picture in pictures:
        sheet[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + GAP
    return sheet
