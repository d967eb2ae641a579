"""How many pixels of context a tile is given where that is left to the model: `overlap: auto`."""

from __future__ import annotations

import math
from dataclasses import replace

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.inference.tiling import Tiling, round_up
from kerasseg.spec import ModelSpec, TilingSettings

AUTO = "auto"
SHARE = 8  # of a tile is context on each side where no number is right: 32 of 256 pixels


def resolve_overlap(spec: ModelSpec) -> TilingSettings:
    """Give a model's tiling with its overlap in pixels; say why where that was left to the model.

    Raises
    ------
    UserError
        If the tile is too small for its overlap, or for what the model sees.
    """
    pixels = overlap(
        spec.tiling.overlap, spec.receptive_radius, spec.tiling.tile, multiple_of=math.lcm(*spec.stride)
    )
    Tiling((1,) * spec.rank, spec.tiling.tile, pixels, spec.stride)  # refuses what leaves nothing of a tile
    return replace(spec.tiling, overlap=pixels)


def overlap(wanted: int | str, radius: tuple[int, ...] | None, tile: int, multiple_of: int) -> int:
    """Choose the pixels of context on each side of a tile; say why where that was left to the model.

    Parameters
    ----------
    wanted : int or "auto"
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
    if wanted != AUTO:
        return wanted
    tile = round_up(tile, multiple_of)
    if radius is None:
        say(
            f"overlap auto: {tile // SHARE} pixels, a share of the tile; the model's receptive field is "
            "unbounded (EfficientNet averages over all that it is shown), so tiles never quite equal the "
            "whole image"
        )
        return tile // SHARE
    pixels = max(radius)
    step = (tile - 2 * pixels) // multiple_of * multiple_of
    if step < multiple_of:
        raise UserError(
            f"predict.overlap: auto is {pixels} for a model that sees {pixels} pixels far, which leaves too "
            f"little of predict.tile {tile}: give a tile of at least "
            f"{round_up(2 * pixels + multiple_of, multiple_of)}, or an overlap"
        )
    say(
        f"overlap auto: {pixels} pixels, as far as the model sees, so that tiles blended by crop equal the "
        f"whole image; with a tile of {tile} each pixel is computed up to "
        f"{(tile / step) ** len(radius):.1f} times"
    )
    return pixels
