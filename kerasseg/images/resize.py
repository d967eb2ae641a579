"""Images, masks and probabilities at another size."""

from __future__ import annotations

import cv2
import numpy as np

from kerasseg.errors import UserError

CHANNELS_AT_ONCE = 4  # OpenCV resizes no more


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize intensities: by area where the image shrinks, linearly where it grows.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C), uint8, uint16 or float32
        Intensities or probabilities.
    size : tuple of int
        Height and width wanted.

    Returns
    -------
    numpy.ndarray, shape (height, width, C), of the same type

    Raises
    ------
    UserError
        If the image is a volume.
    """
    if image.ndim != 3:
        raise UserError(
            f"a volume of shape {image.shape} cannot be resized to {tuple(size)}; expected a 2-D image. Set "
            "data.resize to null, and data.patch to {size: [depth, height, width]}"
        )
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    parts = [image[..., at : at + CHANNELS_AT_ONCE] for at in range(0, image.shape[2], CHANNELS_AT_ONCE)]
    resized = [cv2.resize(part, (width, height), interpolation=method) for part in parts]
    return np.concatenate([part.reshape(height, width, -1) for part in resized], axis=2)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize class ids or instance ids by the nearest pixel centre, which makes no new id.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X, ...), any type
        Mask or labels.
    size : tuple of int
        Height and width wanted.

    Returns
    -------
    numpy.ndarray, shape (height, width, ...), of the same type
    """
    rows, columns = (_nearest(old, new) for old, new in zip(mask.shape, size, strict=False))
    return mask[rows][:, columns]


def _nearest(old: int, new: int) -> np.ndarray:
    """Index the pixel whose centre lies nearest to each new pixel's centre."""
    return ((np.arange(new) + 0.5) * old / new).astype(np.intp)
