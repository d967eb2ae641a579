"""How many pixels of context a tile is given where that is left to the model: `overlap: auto`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.inference.tiling import round_up

AUTO = "auto"
SHARE = 8  # of a tile is context on each side where no number is right: 32 of 256 pixels


def settled(
    tiles: Mapping[str, Any], radius: tuple[int, ...] | None, stride: tuple[int, ...]
) -> dict[str, Any]:
    """Take the settings of tiles, among them ``tile`` and ``overlap``, and suit them to a model.

    Parameters
    ----------
    tiles : mapping
        Keyword arguments of `kerasseg.inference.tiled.predicted_bands`, with an overlap that may be auto.
    radius : tuple of int or None
        How far the model sees; see :func:`overlap`.
    stride : tuple of int
        Of the model, along each axis; see `kerasseg.models.receptive_field.stride`.

    Returns
    -------
    dict
        The same with the overlap in pixels, and with ``multiple_of``.
    """
    pixels = overlap(tiles["overlap"], radius, tiles["tile"], math.lcm(*stride))
    return {**tiles, "overlap": pixels, "multiple_of": stride}


def overlap(told: int | str, radius: tuple[int, ...] | None, tile: int, multiple_of: int) -> int:
    """Choose the pixels of context on each side of a tile; say why where that was left to the model.

    Parameters
    ----------
    told : int or "auto"
        A number stands as it is.
    radius : tuple of int or None
        How far the model sees along each axis; None is without bound or unknown. See
        `kerasseg.models.receptive_field.radius`.
    tile : int
        Side of a tile, in pixels.
    multiple_of : int
        What tiles and their starts are multiples of.

    Returns
    -------
    int

    Raises
    ------
    UserError
        If the tile is too small for what the model sees.
    """
    if told != AUTO:
        return told
    tile = round_up(tile, multiple_of)
    return _by_custom(tile) if radius is None else _by_sight(max(radius), len(radius), tile, multiple_of)


def _by_custom(tile: int) -> int:
    say(
        f"overlap auto: {tile // SHARE} pixels, a share of the tile; the model sees without a known end "
        "(EfficientNet averages over all that it is shown), so tiles never quite equal the whole image"
    )
    return tile // SHARE


def _by_sight(pixels: int, rank: int, tile: int, multiple_of: int) -> int:
    step = (tile - 2 * pixels) // multiple_of * multiple_of
    if step < multiple_of:
        raise UserError(
            f"predict.overlap: auto is {pixels} for a model that sees {pixels} pixels far, which leaves too "
            f"little of predict.tile {tile}: give a tile of at least "
            f"{round_up(2 * pixels + multiple_of, multiple_of)}, or an overlap"
        )
    say(
        f"overlap auto: {pixels} pixels, as far as the model sees, so that tiles blended by crop equal the "
        f"whole image; with a tile of {tile} each pixel is computed up to {(tile / step) ** rank:.1f} times"
    )
    return pixels
