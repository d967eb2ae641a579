"""Lengths as they are typed, in pixels or in units: ``134``, ``134px``, ``536nm``, ``0.54um``."""

from __future__ import annotations

import re

from kerasseg.errors import UserError
from kerasseg.images.calibration import NO_LENGTH, micrometres


def in_micrometres(option: str, typed: str) -> float:
    """Read a length that must have a unit.

    Parameters
    ----------
    option : str
        What it is given for, such as ``--pixel-size``.
    typed : str

    Returns
    -------
    float

    Raises
    ------
    UserError
        If it is no length above 0, or has no unit that is known.
    """
    number, unit = _parted(option, typed)
    if (length := micrometres(number, unit)) is None:
        raise UserError(f"{option} {typed}: {unit or 'no'} unit of length is known; expected such as 4nm")
    return length


def in_pixels(option: str, typed: str, pixel_size: float | None) -> float:
    """Read a length in pixels, or in a unit.

    Parameters
    ----------
    option, typed : str
        As :func:`in_micrometres` takes them; without a unit, and in px, it is in pixels.
    pixel_size : float or None
        Micrometres a pixel; None where that is not known.

    Returns
    -------
    float

    Raises
    ------
    UserError
        As :func:`in_micrometres`, and if a unit is given and the pixel size is not known.

    Examples
    --------
    >>> in_pixels("--diameter", "536nm", 0.004)
    134.0
    """
    number, unit = _parted(option, typed)
    if unit.lower() in NO_LENGTH:
        return number
    length = in_micrometres(option, typed)
    if pixel_size is None:
        raise UserError(
            f"{option} {typed}: the stack does not say how large a pixel is; give --pixel-size, such as "
            "--pixel-size 4nm, or the length in pixels"
        )
    return length / pixel_size


def _parted(option: str, typed: str) -> tuple[float, str]:
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(\D*?)\s*", typed)
    if match is None or float(match[1]) <= 0:
        raise UserError(
            f"{option} {typed}: expected a length above 0 in pixels or a unit, such as 134 or 536nm"
        )
    return float(match[1]), match[2]
