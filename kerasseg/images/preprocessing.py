"""What every image goes through before a model sees it, in training, prediction and serving alike.

Its channels become those that the model takes, its histogram may be brought to another one, its intensities
become float32 in [0, 1], the only range that a model sees, and its size the one that the recipe asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import cv2
import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError, naming
from kerasseg.images.histogram_matching import Matching, matched
from kerasseg.images.normalisation import Dtype, Normalisation
from kerasseg.images.statistics import Limits, bands_of, extremes

if TYPE_CHECKING:
    from kerasseg.images.stores.store import Region, Store

# ITU-R BT.601, the weights of Pillow's and OpenCV's grey.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
MOST_CHANNELS = 4  # more are likelier to be another axis that was read as one of channels
CHANNELS_AT_ONCE = 4  # OpenCV resizes no more


@dataclass(frozen=True)
class Preprocessing:
    """Brings an image as stored to the channels, histogram, intensities and size that a model takes.

    In this order.

    Attributes
    ----------
    channels : int or None
        Channels wanted; None keeps them.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width wanted, of 2-D images only; None keeps them.
    match : Matching or None
        The histogram that each image or volume is brought to, before its intensities come into [0, 1].
    """

    channels: int | None
    normalise: Normalisation
    resize: tuple[int, int] | None
    match: Matching | None = None

    def image(self, image: np.ndarray) -> np.ndarray:
        """Preprocess a whole image.

        Parameters
        ----------
        image : numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C), uint8, uint16 or float32
            As stored.

        Returns
        -------
        numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C)
            float32 in [0, 1]; but uint8 stays uint8 where dividing by 255 is all that is to be done: a
            quarter of the memory, and faster to augment. What is resized is float32 before, for in whole
            numbers OpenCV rounds weights too, which no other program does: a served model would be shown
            another image.

        Raises
        ------
        UserError
            If the channels or the intensities do not fit, or a volume is to be resized; it does not name the
            file: see :func:`kerasseg.errors.naming`.
        """
        grey = image.shape[-1] == 1 and self.match is None  # repeated last: the same for a third of the work
        if not grey:
            image = with_channels(image, self.channels)
        if self.match is not None:
            image = self.match.image(image)
        if not self._keeps(image.dtype):
            image = normalise(image, self.normalise)
        if self.resize is not None:
            image = resize(image, self.resize)
        return with_channels(image, self.channels) if grey else image

    def regions(self, store: Store) -> Callable[[Region], np.ndarray]:
        """Make the function that reads regions of a huge image as a model takes them; nothing is resized.

        Parameters
        ----------
        store : Store
            Open.

        Returns
        -------
        callable
            From a region, as `Store.read` takes it, to (Y, X, C) or (Z, Y, X, C) float32 in [0, 1].

        Raises
        ------
        UserError
            As :meth:`fitted`, and if pixels cannot be read.
        """
        change = self.fitted(store)

        def read(region: Region) -> np.ndarray:
            image = change(store.read(region))
            return image / np.float32(np.iinfo(image.dtype).max) if image.dtype == np.uint8 else image

        return read

    def fitted(self, store: Store) -> Callable[[np.ndarray], np.ndarray]:
        """Look at a huge image, and give the function that changes any region of it; nothing is resized.

        What depends on the whole image, its intensities and whether its alpha is constant, is measured here
        once by streaming, so that a region becomes what :meth:`image` makes of the whole image, cut there.

        Parameters
        ----------
        store : Store
            Open; the function does without it.

        Returns
        -------
        callable
            From (Y, X, C) or (Z, Y, X, C) as stored to what :meth:`image` gives.

        Raises
        ------
        UserError
            If the channels or the intensities do not fit; it names the file.
        """
        grey = store.shape[-1] == 1 and self.match is None  # repeated last, as in `image`
        with naming(str(store.path)):
            changes = [] if grey else [channel_converter(store, self.channels)]
            dtype = store.dtype

            def changed(image: np.ndarray) -> np.ndarray:
                return reduce(lambda pixels, change: change(pixels), changes, image)

            def bands() -> Iterator[np.ndarray]:
                looked_at = track(list(store.bands()), f"{store.path.name}: measuring intensities")
                return (changed(store.read(band)) for band in looked_at)

            if self.match is not None:
                table = self.match.table(bands, dtype)
                changes.append(partial(matched, new=table))
                dtype = table.dtype
            if not self._keeps(dtype):
                changes.append(self.normalise.fitted(bands, dtype))
            if grey:
                changes.append(channel_converter(store, self.channels))
        return changed

    def _keeps(self, dtype: np.dtype) -> bool:
        """Tell whether images of a type stay what they are, as they are only to be divided by 255."""
        return dtype == np.uint8 and self.normalise == Dtype() and self.resize is None


def channel_converter(store: Store, n: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that gives regions of an open image the number of channels that a model takes.

    Parameters
    ----------
    store : Store
    n : int or None
        See :func:`with_channels`, of which it gives what that makes of the whole image, cut there.

    Raises
    ------
    UserError
        If the channels cannot be turned into `n` without guessing.
    """
    constant_alpha = False
    if n not in (None, store.shape[-1]) and may_have_alpha(store.shape[-1]):
        low, high = extremes(lambda: (store.read(band)[..., -1:] for band in store.bands()))
        constant_alpha = bool(low == high)
    # Refuses channels before any work is done.
    converted(np.empty((0, *store.shape[1:]), store.dtype), n, constant_alpha=constant_alpha)
    return partial(converted, n=n, constant_alpha=constant_alpha)


def with_channels(image: np.ndarray, n: int | None) -> np.ndarray:
    """Give an image the number of channels that a model takes.

    Grey is repeated, colour becomes luminance where one channel is wanted, alpha of one value is dropped.

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C)
        Of any type, which is kept.
    n : int or None
        Channels wanted; None keeps the image as it is stored.

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
    constant = may_have_alpha(image.shape[-1]) and bool((alpha == alpha.flat[0]).all())
    return converted(image, n, constant_alpha=constant)


def may_have_alpha(channels: int) -> bool:
    """Tell whether the last of so many channels may be alpha: after grey or after colours."""
    return channels in (2, 4)


def converted(image: np.ndarray, n: int | None, *, constant_alpha: bool) -> np.ndarray:
    """Do as :func:`with_channels` for a region of an image whose alpha is known to be constant or not.

    Parameters
    ----------
    image, n
        As there.
    constant_alpha : bool
        Whether the last channel is alpha of one value throughout the whole image.
    """
    if n is None or image.shape[-1] == n:
        return image
    opaque = image[..., :-1] if constant_alpha else image
    channels = opaque.shape[-1]
    if channels == n:
        return opaque
    if channels == 1:
        return np.repeat(opaque, n, axis=-1)
    if channels == 3 and n == 1:
        grey = opaque.astype(np.float32) @ LUMINANCE
        return (grey if image.dtype.kind == "f" else np.rint(grey)).astype(image.dtype)[..., None]
    stored, axes = image.shape[-1], "ZYXC"[-image.ndim :]
    advice = f"set data.channels to {stored} and train, or save the image with {n}"
    if stored > MOST_CHANNELS:
        advice = f"if they are not channels, name the axes, such as --axes ZYX; otherwise {advice}"
    raise UserError(
        f"the image was read with the axes {axes} and has {stored} channels, but data.channels is {n}; "
        f"{advice}"
    )


def normalise(image: np.ndarray, method: Normalisation = Dtype()) -> np.ndarray:
    """Scale intensities to [0, 1].

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        As stored; the last axis is channels.
    method : Normalisation
        What becomes 0 and 1; the rest is clipped.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]

    Raises
    ------
    UserError
        If a value is not finite, or `Dtype` is given floats outside [0, 1].
    """
    return method.fitted(bands_of(image), image.dtype)(image)


def stretch(image: np.ndarray, limits: Limits) -> np.ndarray:
    """Map known limits to 0 and 1, and clip the rest.

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        An image or a region of one.
    limits : Limits
        Of the whole image.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]
        The image itself where there is nothing to do.
    """
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    if image.dtype == np.float32 and (low == 0).all() and (high == 1).all():
        return image
    stretched = image.astype(np.float32)
    stretched -= low
    stretched /= np.where(high > low, high - low, np.float32(1))
    return np.clip(stretched, 0, 1, out=stretched)


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
    parts = [
        image[..., first : first + CHANNELS_AT_ONCE] for first in range(0, image.shape[2], CHANNELS_AT_ONCE)
    ]
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
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)  # the pixel whose centre lies nearest
        for old, new in zip(mask.shape, size, strict=False)
    )
    return mask[rows][:, columns]
