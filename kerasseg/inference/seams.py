"""How much a prediction by tiles differs from one of the whole image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kerasseg.inference.compiling import Forward
from kerasseg.inference.tiled import STRIDE, Pixels, predict
from kerasseg.inference.tiling import Tiling

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
    image: Pixels,
    forward: Forward,
    *,
    tile: int,
    overlap: int,
    multiple_of: int | tuple[int, ...] = STRIDE,
    **how,
) -> Seams | None:
    """Compare tiles with the whole in the middle of an image, where both see the same pixels.

    Parameters
    ----------
    image, forward, tile, overlap, multiple_of, **how
        As `kerasseg.inference.tiled.predict` takes them.

    Returns
    -------
    Seams or None
        None where one tile is enough and there are no seams.
    """
    pixels = image[_middle(image.shape[:-1], 2 * tile)]
    if len(Tiling(pixels.shape[:-1], tile, overlap, multiple_of)) == 1:
        return None
    how["multiple_of"] = multiple_of
    tiled = predict(pixels, forward, tile=tile, overlap=overlap, **how)
    whole = predict(pixels, forward, tile=max(pixels.shape[:-1]), overlap=0, **how)
    difference = np.abs(tiled - whole)
    return Seams(float(difference.max()), float(difference.mean()), pixels.shape[:-1])


def _middle(shape: tuple[int, ...], least: int) -> tuple[slice, ...]:
    """Choose a region around the centre that has few pixels, but sides of `least`, as square as it can be."""
    side = max(math.floor(MOST_PIXELS ** (1 / len(shape))), least)
    sides = [min(length, side) for length in shape]
    return tuple(
        slice((length - side) // 2, (length - side) // 2 + side)
        for length, side in zip(shape, sides, strict=True)
    )
