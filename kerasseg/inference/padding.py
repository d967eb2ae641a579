"""What a model sees beyond an image: the image mirrored, its last pixels repeated, or black.

=========  ============================================================================================
padding    what it means
=========  ============================================================================================
inside     tiles lie inside; only an axis that is no multiple of the stride goes on a little, mirrored
reflect    tiles start before the image, which is mirrored at its last pixels: 2 1 0 1 2
edge       the same, with the last pixels repeated: 0 0 0 1 2
zero       the same, with black
=========  ============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseg.errors import UserError, unknown


def reflected(places: np.ndarray, length: int) -> np.ndarray:
    """Take places along an axis to pixels as though it were mirrored at its ends again and again."""
    period = max(2 * (length - 1), 1)
    places = places % period
    return np.minimum(places, period - places) if length > 1 else np.zeros_like(places)


def repeated(places: np.ndarray, length: int) -> np.ndarray:
    """Take places along an axis to the nearest pixels."""
    return places.clip(0, length - 1)


Place = Callable[[np.ndarray, int], np.ndarray]
PADDINGS: dict[str, Place] = {"inside": reflected, "reflect": reflected, "edge": repeated, "zero": repeated}


def cut(image: np.ndarray, source: tuple[slice, ...], padding: str = "inside") -> np.ndarray:
    """Cut a region out of an image; it may reach beyond.

    Parameters
    ----------
    image : np.ndarray or what can be sliced like one
        (Y, X, C) or (Z, Y, X, C).
    source : tuple of slice
        One slice an axis, channels left out.
    padding : {"inside", "reflect", "edge", "zero"}
        What lies beyond.

    Returns
    -------
    np.ndarray
        What the image gives where the region lies inside, otherwise a copy.

    Raises
    ------
    UserError
        If the padding is unknown.
    """
    if padding not in PADDINGS:
        raise UserError(unknown("padding", padding, PADDINGS))
    shape = image.shape[: len(source)]
    if all(part.start >= 0 and part.stop <= length for part, length in zip(source, shape, strict=True)):
        return image[source]
    places = [np.arange(part.start, part.stop) for part in source]
    pixels = [PADDINGS[padding](along, length) for along, length in zip(places, shape, strict=True)]
    region = tuple(slice(along.min(), along.max() + 1) for along in pixels)
    indices = (along - part.start for along, part in zip(pixels, region, strict=True))
    found = image[region][np.ix_(*indices)]
    return _blackened(found, places, shape) if padding == "zero" else found


def _blackened(found: np.ndarray, places: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    for axis, (along, length) in enumerate(zip(places, shape, strict=True)):
        found[(slice(None),) * axis + ((along < 0) | (along >= length),)] = 0
    return found
