"""The three types that an image's intensities have, whatever a file stores."""

from __future__ import annotations

import numpy as np


def intensity_type(dtype: np.dtype) -> np.dtype:
    """Choose what holds stored numbers: uint8, uint16, or float32 for all that are larger or not whole.

    Raises
    ------
    ValueError
        If they are no real numbers.
    """
    if dtype.kind not in "buif":
        raise ValueError(f"pixels of type {dtype}")
    whole = {"bool": np.uint8, "uint8": np.uint8, "uint16": np.uint16}
    return np.dtype(whole.get(dtype.name, np.float32))


def as_intensities(values: np.ndarray) -> np.ndarray:
    """Bring stored numbers of any shape to their :func:`intensity_type`; bits become 0 and 255."""
    pixels = values.astype(np.uint8) * 255 if values.dtype == bool else values
    return pixels.astype(intensity_type(values.dtype), copy=False)
