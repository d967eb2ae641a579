"""From the axes that a file names to those of an image: YXC or ZYXC, whatever order the file has them in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.headers import BACKWARDS, TURNED

CHANNELS = "CS"  # OME's channels and TIFF's samples: an image has both in its last axis
SPACE = "ZYX"
SWAPPED = str.maketrans("YX", "XY")
_HOW = 'Say what they are, such as axes="ZYX" for a volume or axes="CYX" for channels'


@dataclass(frozen=True)
class Arrangement:
    """How an array as it is stored becomes an image.

    Attributes
    ----------
    axes : str
        A letter for each stored axis; those of length 1 may have any.
    stored : tuple of int
        Their lengths.
    backwards : str
        Axes that run from the image's end to its beginning.
    time : int
        Which point of time is the image.
    """

    axes: str
    stored: tuple[int, ...]
    backwards: str = ""
    time: int = 0

    @property
    def space(self) -> str:
        """The image's axes without channels: YX or ZYX."""
        return "".join(a for a in SPACE if a in "YX" or self._length(a) > 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's shape, channels last."""
        return (*map(self._length, self.space), math.prod(map(self._length, CHANNELS)))

    def along_space(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """Pick, from a number for each stored axis, those of `space`."""
        return tuple(lengths[self.axes.index(axis)] for axis in self.space)

    def region(self, region: tuple[slice, ...]) -> tuple[slice, ...]:
        """Find where a region of the image, one slice for each axis of `space`, lies in the stored array."""
        wanted = dict(zip(self.space, region, strict=True))
        for axis in self.backwards:
            length, part = self._length(axis), wanted[axis]
            wanted[axis] = slice(length - part.stop, length - part.start)
        wanted["T"] = slice(self.time, self.time + 1)
        stored = zip(self.axes, self.stored, strict=True)
        return tuple(wanted.get(axis, slice(0, length)) for axis, length in stored)

    def arrange(self, pixels: np.ndarray) -> np.ndarray:
        """Bring a part of the stored array into the order of an image, (Y, X, C) or (Z, Y, X, C)."""
        order = [self.axes.index(axis) for axis in self.space + CHANNELS if axis in self.axes]
        others = [
            number for number in range(len(self.axes)) if number not in order
        ]  # of length 1, as time now is
        sides = self.along_space(pixels.shape)
        image = pixels.transpose(others + order).reshape(*sides, self.shape[-1])
        return np.flip(image, [self.space.index(axis) for axis in self.backwards])

    def _length(self, axis: str) -> int:
        return self.stored[self.axes.index(axis)] if axis in self.axes else 1


def arrangement(
    axes: str, shape: tuple[int, ...], name: str, orientation: int = 1, time: int | None = None
) -> Arrangement:
    """Check that a file's axes make one image.

    Parameters
    ----------
    axes : str
        As the file names them, or as the user does; upper case.
    orientation : int, default 1
        EXIF's, which says which way is up.
    time : int, optional
        Which of several points of time is the image, from 0.

    Raises
    ------
    UserError
        If letters and lengths do not match, an axis is unknown, no time point is chosen of several, or X or
        Y is missing.
    """
    given = f"{name}: the image is {' x '.join(map(str, shape))}"
    if len(axes) != len(shape):
        raise UserError(f"{given}; axes={axes!r} names {len(axes)} axes, expected {len(shape)}")
    long = [axis for axis, length in zip(axes, shape, strict=True) if length != 1 or axis in "YX"]
    points = shape[axes.index("T")] if "T" in long else 1
    if points > 1 and time is None:
        as_planes = axes.replace("T", "Z")
        depth = "" if "Z" in axes else f'; or, if they are planes in depth, say so by axes="{as_planes}"'
        raise UserError(
            f"{given} ({axes}): {points} points of time; expected one. Choose t=0 to "
            f"t={points - 1}, typed FILE:t=0 or FILE:NAME,t=0{depth}"
        )
    if time is not None and time >= points:
        raise UserError(f"{given} ({axes}): there is no t={time}; expected t=0 to t={points - 1}")
    long = [axis for axis in long if axis != "T"]
    if "Y" not in long or "X" not in long or not set(long) <= {*SPACE, *CHANNELS}:
        raise UserError(f"{given}, whose axes ({axes}) are not all of Z, Y, X, C and S. {_HOW}")
    if len(set(long)) < len(long):
        raise UserError(f"{given}, whose axes ({axes}) name one twice. {_HOW}")
    if 0 in shape:
        raise UserError(f"{given}; expected at least one pixel")
    # Names of axes of length 1 say nothing, and may repeat others.
    names = "".join(
        axis if length > 1 or axis in "YX" else "_" for axis, length in zip(axes, shape, strict=True)
    )
    upright = names.translate(SWAPPED) if orientation in TURNED else names
    return Arrangement(upright, tuple(shape), BACKWARDS.get(orientation, ""), time or 0)
