"""Windows of one size around nuclei, and the crops in them: lossless TIFF, a folder for each nucleus.

The window of a nucleus stays where it is from slice to slice, so that its crops are a volume. It is shifted
to lie inside the slice, and only where the slice itself is smaller are crops filled up with 0, right and
below: ``slice[y:y + side, x:x + side]`` is the crop, or its upper left part.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasseg.errors import Notice
from kerasseg.nuclei.linking import Sighting

IMAGES = "images"  # where the source images_masks looks for them
DIGITS = 4  # of numbers in names, at least


class Corner(NamedTuple):
    """The upper left pixel of a window."""

    y: int
    x: int


def corner(centre: tuple[float, float], size: tuple[int, int], side: int) -> Corner:
    """Lay a window around a centre (y, x), and shift it into a slice of `size` (height, width)."""
    return Corner(*(_start(middle, length, side) for middle, length in zip(centre, size, strict=True)))


def _start(middle: float, length: int, side: int) -> int:
    return max(0, min(round(middle - side / 2), length - side))


def middle(track: Sequence[Sighting]) -> tuple[float, float]:
    """Find the centre (y, x) of the box around all centres of a nucleus."""
    ys, xs = [each.y for each in track], [each.x for each in track]
    return (min(ys) + max(ys)) / 2, (min(xs) + max(xs)) / 2


def say_cut(
    tracks: Mapping[int, Sequence[Sighting]],
    corners: Mapping[int, Corner],
    size: tuple[int, int],
    side: int,
) -> None:
    """Say which nuclei are larger than their windows, or wander out of them.

    Warns
    -----
    Notice
        If any are.
    """
    beyond = {number: _beyond(track, corners[number], size, side) for number, track in tracks.items()}
    if cut := [number for number, pixels in beyond.items() if pixels > 0]:
        needed = side + 2 * int(np.ceil(max(beyond.values())))
        warnings.warn(
            f"{len(cut)} of {len(tracks)} nuclei, such as {cut[0]}, are not whole in all of their crops of "
            f"{side} pixels; --crop {needed} holds them all",
            Notice,
            stacklevel=2,
        )


def _beyond(track: Sequence[Sighting], start: Corner, size: tuple[int, int], side: int) -> float:
    """Measure how many pixels of a nucleus's box lie outside its window at most, and inside the slice."""
    most = 0.0
    for each in track:
        turn = np.radians(each.angle)
        high = np.hypot(each.major * np.sin(turn), each.minor * np.cos(turn)) / 2
        wide = np.hypot(each.major * np.cos(turn), each.minor * np.sin(turn)) / 2
        for centre, half, low, length in zip((each.y, each.x), (high, wide), start, size, strict=True):
            before = low - max(centre - half, 0)
            after = min(centre + half, length - 1) - (low + side - 1)
            most = max(most, before, after)
    return float(most)


def cut(image: np.ndarray, start: Corner, side: int) -> np.ndarray:
    """Cut a window out of a slice.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        The slice.
    start : Corner
    side : int

    Returns
    -------
    numpy.ndarray, shape (side, side, C), of the same type
    """
    part = image[start.y : start.y + side, start.x : start.x + side]
    missing = [(0, side - length) for length in part.shape[:2]]
    return np.pad(part, (*missing, (0, 0)))


def path_of(out: Path, nucleus: int, number: int) -> Path:
    """Name the crop of a nucleus in a slice: ``images/nucleus_0003/z0012.tif``."""
    return out / IMAGES / folder_name(nucleus) / f"z{number:0{DIGITS}}.tif"


def folder_name(nucleus: int) -> str:
    """Name the folder of a nucleus."""
    return f"nucleus_{nucleus:0{DIGITS}}"
