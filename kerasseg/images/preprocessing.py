"""What every image goes through before a model sees it, in training, prediction and serving alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import naming
from kerasseg.images.channels import converted, may_have_alpha, with_channels
from kerasseg.images.normalise import Dtype, Normalisation, normalise, stretch
from kerasseg.images.resize import resize
from kerasseg.images.statistics import extremes

if TYPE_CHECKING:
    from kerasseg.images.stores.store import Region, Store


@dataclass(frozen=True)
class Preprocessing:
    """Brings an image as stored to the channels, intensities and size that a model takes, in this order.

    Attributes
    ----------
    channels : int or None
        Channels wanted; None keeps them.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width wanted, of 2-D images only; None keeps them.
    """

    channels: int | None
    normalise: Normalisation
    resize: tuple[int, int] | None

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
        grey = image.shape[-1] == 1  # repeated last: the same numbers for a third of the work
        if not grey:
            image = with_channels(image, self.channels)
        if image.dtype != np.uint8 or self.normalise != Dtype() or self.resize is not None:
            image = normalise(image, self.normalise)
        if self.resize is not None:
            image = resize(image, self.resize)
        return with_channels(image, self.channels) if grey else image

    def regions(self, store: Store) -> Callable[[Region], np.ndarray]:
        """Make the function that reads regions of a huge image as a model takes them; nothing is resized.

        What depends on the whole image, its intensities and whether its alpha is constant, is measured here
        once by streaming, so that a region is what :meth:`image` makes of the whole image, cut there.

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
            If the channels or the intensities do not fit, or pixels cannot be read; it names the file.
        """
        grey = store.shape[-1] == 1
        constant_alpha = self._alpha_is_constant(store)

        def convert(image: np.ndarray) -> np.ndarray:
            return converted(image, self.channels, constant_alpha=constant_alpha)

        def convert_unless_grey(region: Region) -> np.ndarray:
            image = store.read(region)
            return image if grey else convert(image)

        with naming(str(store.path)):
            convert(np.empty((0, *store.shape[1:]), store.dtype))  # refuses channels before any work is done
            limits = self.normalise.limits(lambda: map(convert_unless_grey, store.bands()), store.dtype)

        def read(region: Region) -> np.ndarray:
            image = stretch(convert_unless_grey(region), limits)
            return convert(image) if grey else image

        return read

    def _alpha_is_constant(self, store: Store) -> bool:
        """Look for alpha of one value, where channels are to be changed."""
        stored = store.shape[-1]
        if self.channels in (None, stored) or not may_have_alpha(stored):
            return False
        low, high = extremes(lambda: (store.read(band)[..., -1:] for band in store.bands()))
        return bool(low == high)
