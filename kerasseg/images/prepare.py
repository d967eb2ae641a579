"""What every image goes through before a model sees it, in training, prediction and serving alike."""

from __future__ import annotations

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.channels import with_channels
from kerasseg.images.normalise import normalise
from kerasseg.images.resize import resize


def prepare(
    image: np.ndarray, *, channels: int | None, method: str, size: tuple[int, int] | None, name: str
) -> np.ndarray:
    """Bring an image as stored to channels, intensities and size that a model takes, in this order.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C), uint8, uint16 or float32
        As stored.
    channels : int or None
        Channels wanted; None keeps them.
    method : {"dtype", "minmax", "percentile"}
        How intensities come into [0, 1].
    size : tuple of int or None
        Height and width wanted; None keeps them.
    name : str
        The file, for the messages.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)
        float32 in [0, 1]; but uint8 stays uint8 where dividing by 255 is all that is left to do: a quarter of
        the memory, and faster to augment.

    Raises
    ------
    UserError
        If the channels or the intensities do not fit.
    """
    grey = image.shape[2] == 1  # repeated last: the same numbers for a third of the work
    image = image if grey else with_channels(image, channels, name)
    if image.dtype != np.uint8 or method != "dtype":
        try:
            image = normalise(image, method)
        except UserError as error:
            raise UserError(*(f"{name}: {message}" for message in error.messages)) from error
    image = image if size is None else resize(image, size)
    return with_channels(image, channels, name) if grey else image
