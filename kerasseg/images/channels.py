"""From the channels that a file has to those that a model takes."""

from __future__ import annotations

import numpy as np

from kerasseg.errors import UserError

MOST_CHANNELS = 4  # more are likelier to be another axis that was read as one of channels

# ITU-R BT.601, the weights of Pillow's and OpenCV's grey.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def with_channels(image: np.ndarray, n: int | None, name: str) -> np.ndarray:
    """Give an image the number of channels that a model takes.

    Grey is repeated, colour becomes luminance where one channel is wanted, alpha of one value is dropped.

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C)
        Of any type, which is kept.
    n : int or None
        Channels wanted; None keeps the image as it is stored.
    name : str
        The file, for the message.

    Returns
    -------
    numpy.ndarray, shape (..., n)

    Raises
    ------
    UserError
        If the channels cannot be turned into `n` without guessing.
    """
    if n is None or image.shape[-1] == n:
        return image
    alpha = image[..., -1]
    silent = may_have_alpha(image.shape[-1]) and bool((alpha == alpha.flat[0]).all())
    return converted(image, n, name, silent_alpha=silent)


def may_have_alpha(channels: int) -> bool:
    """Tell whether the last of so many channels may be alpha: after grey or after colours."""
    return channels in (2, 4)


def converted(image: np.ndarray, n: int | None, name: str, *, silent_alpha: bool) -> np.ndarray:
    """Do as :func:`with_channels`, for a region of an image of which is known whether its alpha says nothing.

    Parameters
    ----------
    image, n, name
        As there.
    silent_alpha : bool
        Whether the last channel is alpha of one value throughout the whole image.
    """
    if n is None or image.shape[-1] == n:
        return image
    opaque = image[..., :-1] if silent_alpha else image
    channels = opaque.shape[-1]
    if channels == n:
        return opaque
    if channels == 1:
        return np.repeat(opaque, n, axis=-1)
    if channels == 3 and n == 1:
        return _luminance(opaque)
    stored, axes = image.shape[-1], "ZYXC"[-image.ndim :]
    advice = f"set data.channels to {stored}, or save the image with {n}"
    if stored > MOST_CHANNELS:
        advice = f"if they are not channels, name the axes, such as --axes ZYX; otherwise {advice}"
    raise UserError(
        f"{name}: the image was read with the axes {axes} and has {stored} channels, but data.channels is "
        f"{n}; {advice}"
    )


def _luminance(image: np.ndarray) -> np.ndarray:
    grey = image.astype(np.float32) @ LUMINANCE
    return (grey if image.dtype.kind == "f" else np.rint(grey)).astype(image.dtype)[..., None]
