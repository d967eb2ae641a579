"""EXIF orientation: how a camera says which way is up."""

from __future__ import annotations

import numpy as np

TAG = 274  # the same number in EXIF and TIFF
TURNED = frozenset({5, 6, 7, 8})  # those that swap height and width

_TURNS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image, 1),
}


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image upright.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X) or (Y, X, C)
        As stored.
    orientation : int
        EXIF's orientation, 1 to 8; anything else counts as 1, upright already.

    Returns
    -------
    numpy.ndarray
        The image as it is meant to be seen, contiguous.
    """
    turn = _TURNS.get(orientation)
    return image if turn is None else np.ascontiguousarray(turn(image))
