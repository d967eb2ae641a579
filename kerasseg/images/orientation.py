"""EXIF orientation: how a camera says which way is up."""

from __future__ import annotations

import numpy as np

TAG = 274  # the same number in EXIF and TIFF
TURNED = frozenset({5, 6, 7, 8})  # those that swap height and width

# Axes that run backwards, once height and width are swapped where they must be.
BACKWARDS = {2: "X", 3: "YX", 4: "Y", 5: "", 6: "X", 7: "YX", 8: "Y"}


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
    if orientation not in BACKWARDS:
        return image
    turned = image.swapaxes(0, 1) if orientation in TURNED else image
    rows, columns = (slice(None, None, -1 if axis in BACKWARDS[orientation] else 1) for axis in "YX")
    return np.ascontiguousarray(turned[rows, columns])
