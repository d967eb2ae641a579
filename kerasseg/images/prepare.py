"""What every image goes through before a model sees it, in training, prediction and serving alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.channels import converted, may_have_alpha, with_channels
from kerasseg.images.normalise import Dtype, Normalisation, normalise, stretch
from kerasseg.images.resize import resize
from kerasseg.images.statistics import extremes

if TYPE_CHECKING:
    from kerasseg.images.stores.store import Region, Store


def prepare(
    image: np.ndarray, *, channels: int | None, method: Normalisation, size: tuple[int, int] | None, name: str
) -> np.ndarray:
    """Bring an image as stored to channels, intensities and size that a model takes, in this order.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C), uint8, uint16 or float32
        As stored.
    channels : int or None
        Channels wanted; None keeps them.
    method : Normalisation
        How intensities come into [0, 1].
    size : tuple of int or None
        Height and width wanted, of 2-D images only; None keeps them.
    name : str
        The file, for the messages.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C)
        float32 in [0, 1]; but uint8 stays uint8 where dividing by 255 is all that is to be done: a quarter of
        the memory, and faster to augment. What is resized is float32 before, for in whole numbers OpenCV
        rounds weights too, which no other program does: a served model would be shown another image.

    Raises
    ------
    UserError
        If the channels or the intensities do not fit, or a volume is to be resized.
    """
    grey = image.shape[-1] == 1  # repeated last: the same numbers for a third of the work
    image = image if grey else with_channels(image, channels, name)
    with _naming(name):
        if image.dtype != np.uint8 or method != Dtype() or size is not None:
            image = normalise(image, method)
        image = image if size is None else resize(image, size)
    return with_channels(image, channels, name) if grey else image


def by_region(store: Store, *, channels: int | None, method: Normalisation) -> Callable[[Region], np.ndarray]:
    """Make the function that reads regions of a huge image as a model takes them.

    What is asked of the whole image, its intensities and whether its alpha says nothing, is found here once
    by streaming, so that a region is what :func:`prepare` makes of the whole image, cut there.

    Parameters
    ----------
    store : Store
        Open.
    channels, method
        As in :func:`prepare`.

    Returns
    -------
    callable
        From a region, as `Store.read` takes it, to (Y, X, C) or (Z, Y, X, C) float32 in [0, 1].

    Raises
    ------
    UserError
        If the channels or the intensities do not fit, or pixels cannot be read.
    """
    name, grey = str(store.path), store.shape[-1] == 1
    how = {"n": channels, "name": name, "silent_alpha": _alpha_is_silent(store, channels)}
    converted(np.empty((0, *store.shape[1:]), store.dtype), **how)  # refuses channels before any work is done

    def converted_unless_grey(region: Region) -> np.ndarray:
        image = store.read(region)
        return image if grey else converted(image, **how)

    with _naming(name):
        found = method.limits(lambda: map(converted_unless_grey, store.bands()), store.dtype)

    def read(region: Region) -> np.ndarray:
        image = stretch(converted_unless_grey(region), found)
        return converted(image, **how) if grey else image

    return read


def _alpha_is_silent(store: Store, channels: int | None) -> bool:
    """Look for alpha of one value, where it is asked for."""
    if channels in (None, store.shape[-1]) or not may_have_alpha(store.shape[-1]):
        return False
    low, high = extremes(lambda: (store.read(band)[..., -1:] for band in store.bands()))
    return bool(low == high)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the file's name before what is wrong with its intensities."""
    try:
        yield
    except UserError as error:
        messages = (each if each.startswith(name) else f"{name}: {each}" for each in error.messages)
        raise UserError(*messages) from error
