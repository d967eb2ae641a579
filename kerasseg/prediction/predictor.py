"""A trained model with all that it takes to answer for an image as it is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasseg.images.prepare import prepare
from kerasseg.images.resize import resize
from kerasseg.prediction.forward import Forward
from kerasseg.prediction.predict import predict


@dataclass(frozen=True)
class Predictor:
    """From stored pixels to probabilities.

    Parameters
    ----------
    forward : callable
        See `kerasseg.prediction.forward.forward`.
    channels : int
        Channels that the model takes.
    normalise : {"dtype", "minmax", "percentile"}
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the model looks at an image; None is the image's own.
    tile, overlap, blend, padding, symmetries
        See `kerasseg.prediction.predict.predict`.
    """

    forward: Forward
    channels: int
    normalise: str
    resize: tuple[int, int] | None
    tile: int
    overlap: int
    blend: str
    padding: str = "inside"
    symmetries: str = "none"

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
        how = {"channels": self.channels, "method": self.normalise, "size": self.resize}
        pixels = prepare(image, **how, name=name)
        pixels = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
        return predict(
            pixels,
            self.forward,
            tile=self.tile,
            overlap=self.overlap,
            blend=self.blend,
            padding=self.padding,
            symmetries=self.symmetries,
        )

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """Predict an image at its own size: (Y, X, C) as stored to (Y, X, K) float32."""
        probabilities = self.as_seen(image, name)
        return probabilities if self.resize is None else resize(probabilities, image.shape[:2])
