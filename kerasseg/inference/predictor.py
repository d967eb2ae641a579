"""A trained model with all that it takes to answer for an image as it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.preprocessing import by_region, prepare, resize
from kerasseg.images.stores.store import Store
from kerasseg.inference import seams
from kerasseg.inference.blending import Bands
from kerasseg.inference.compiling import Forward
from kerasseg.inference.seams import Seams
from kerasseg.inference.tiled import Pixels, predict, predicted_bands


@dataclass(frozen=True)
class Predictor:
    """From stored pixels to probabilities.

    Parameters
    ----------
    forward : callable
        See `kerasseg.inference.forward.forward`.
    channels : int
        Channels that the model takes.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the model looks at an image; None is the image's own.
    tiles : mapping
        Keyword arguments of `kerasseg.inference.tiled.predicted_bands`.
    """

    forward: Forward
    channels: int
    normalise: Normalisation
    resize: tuple[int, int] | None
    tiles: Mapping[str, Any]

    def as_seen(self, image: np.ndarray, name: str) -> np.ndarray:
        """Predict an image at the size at which the model looks at it.

        Parameters
        ----------
        image : numpy.ndarray, (Y, X, C)
            As it is stored.
        name : str
            The file, for messages.

        Returns
        -------
        numpy.ndarray, (Y', X', K) float32
            At the size of `resize` if there is one.
        """
        return predict(self._prepared(image, name), self.forward, **self.tiles)

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Predict an image at its own size: (Y, X, C) as stored to (Y, X, K) float32."""
        probabilities = self.as_seen(image, name)
        return probabilities if self.resize is None else resize(probabilities, image.shape[:2])

    def seams(self, image: np.ndarray, name: str) -> Seams | None:
        """Measure how much tiles differ from the whole on an image as stored; None if one tile is enough."""
        return seams.measure(self._prepared(image, name), self.forward, **self.tiles)

    def bands(self, store: Store, done: int = 0) -> Bands:
        """Predict an image of any size from a row on, a band of finished rows at a time.

        Parameters
        ----------
        store : Store
            Open. It is read by region, unless the model looks at resized images.
        done : int
            Rows that are finished; see `kerasseg.inference.tiled.predicted_bands`.

        Returns
        -------
        iterator of (slice, numpy.ndarray)
            Rows, with their (rows, X, K) float32: a view that is valid until the next band is asked for.

        Raises
        ------
        UserError
            If a volume is given to a model of images, or an image to one of volumes.
        """
        self._check_rank(store)
        if self.resize is not None:
            return self._whole(store)
        return predicted_bands(self.pixels(store), self.forward, **self.tiles, done=done)

    def pixels(self, store: Store) -> Pixels:
        """Make what slices like an array of the image as the model takes it."""
        read = by_region(store, channels=self.channels, method=self.normalise)
        return _Prepared((*store.shape[:-1], self.channels), read)

    def _prepared(self, image: np.ndarray, name: str) -> np.ndarray:
        how = {"channels": self.channels, "method": self.normalise, "size": self.resize}
        pixels = prepare(image, **how, name=name)
        return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels

    def _check_rank(self, store: Store) -> None:
        """Refuse an image of other axes than the model's; one number for all axes is of a model of any."""
        sides = self.resize or self.tiles.get("multiple_of")
        if isinstance(sides, Sequence) and len(sides) != len(store.shape) - 1:
            wanted = "a volume" if len(sides) == 3 else "a 2-D image"
            raise UserError(
                f"{store.path}: it has the axes {store.axes}, and the model takes {wanted}; if the file "
                "means others than it says, name them by --axes"
            )

    def _whole(self, store: Store) -> Bands:
        image = store.read((slice(None), slice(None)))
        yield slice(0, store.shape[0]), self(image, str(store.path))


@dataclass(frozen=True)
class _Prepared:
    """Slices like an array of the image as the model takes it."""

    shape: tuple[int, ...]
    read: Callable[[tuple[slice, ...]], np.ndarray]

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        return self.read(region)
