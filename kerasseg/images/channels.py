"""From the channels that a file has to those that a model takes."""

from __future__ import annotations

import numpy as np

from kerasseg.errors import UserError

# ITU-R BT.601, the weights of Pillow's and OpenCV's grey.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def with_channels(image: np.ndarray, n: int | None, name: str) -> np.ndarray:
    """Give an image the number of channels that a model takes.

    Grey is repeated, colour becomes luminance where one channel is wanted, alpha of one value is dropped.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        Of any type, which is kept.
    n : int or None
        Channels wanted; None keeps the image as it is stored.
    name : str
        The file, for the message.

    Returns
    -------
    numpy.ndarray, shape (Y, X, n)

    Raises
    ------
    UserError
        If the channels cannot be turned into `n` without guessing.
    """
    if n is None or image.shape[2] == n:
        return image
    opaque = _without_constant_alpha(image)
    channels = opaque.shape[2]
    if channels == n:
        return opaque
    if channels == 1:
        return np.repeat(opaque, n, axis=2)
    if channels == 3 and n == 1:
        return _luminance(opaque)
    raise UserError(
        f"{name}: the image has {image.shape[2]} channels, the recipe's data.channels is {n}; "
        f"set data.channels to {image.shape[2]}, or save the image with {n}"
    )


def _without_constant_alpha(image: np.ndarray) -> np.ndarray:
    """Drop the last of two or four channels where it says nothing."""
    alpha = image[..., -1]
    silent = image.shape[2] in (2, 4) and (alpha == alpha.flat[0]).all()
    return image[..., :-1] if silent else image


def _luminance(image: np.ndarray) -> np.ndarray:
    grey = image.astype(np.float32) @ LUMINANCE
    return (grey if image.dtype.kind == "f" else np.rint(grey)).astype(image.dtype)[..., None]
