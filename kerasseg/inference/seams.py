"""How much a prediction by tiles differs from one of the whole image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasseg.inference.tiled import Answering, Pixels, predict
from kerasseg.inference.tiling import Tiling
from kerasseg.spec import TilingSettings

MOST_PIXELS = 2**20  # a model's memory for one answer: some kilobytes a pixel


@dataclass(frozen=True)
class Seams:
    """Differences of probabilities over a region, by tiles and as a whole.

    Attributes
    ----------
    largest, mean : float
        Of the absolute differences, in [0, 1].
    region : tuple of int
        Size of the region, (Y, X) or (Z, Y, X).
    """

    largest: float
    mean: float
    region: tuple[int, ...]


def measure(
    image: Pixels, backend: Answering, settings: TilingSettings, stride: int | Sequence[int]
) -> Seams | None:
    """Compare tiles with the whole in the middle of an image, where both see the same pixels.

    Parameters
    ----------
    image, backend, settings, stride
        As `kerasseg.inference.tiled.predict` takes them; the tile is one number.

    Returns
    -------
    Seams or None
        None where one tile is enough and there are no seams.
    """
    pixels = image[_middle(image.shape[:-1], 2 * settings.tile)]
    size = pixels.shape[:-1]
    if len(Tiling(size, settings.tile, settings.overlap, stride)) == 1:
        return None
    tiled = predict(pixels, backend, settings, stride)
    whole = predict(pixels, backend, replace(settings, tile=max(size), overlap=0), stride)
    difference = np.abs(tiled - whole)
    return Seams(float(difference.max()), float(difference.mean()), size)


def _middle(shape: tuple[int, ...], least: int) -> tuple[slice, ...]:
    """Choose a region around the centre that has few pixels, but sides of `least`, as square as it can be."""
    side = max(math.floor(MOST_PIXELS ** (1 / len(shape))), least)
    sides = [min(length, side) for length in shape]
    return tuple(
        slice((length - side) // 2, (length - side) // 2 + side)
        for length, side in zip(shape, sides, strict=True)
    )
