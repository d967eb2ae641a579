"""Contact sheets: many tiles on one picture, stretched alike, so that dark tiles stay dark among bright ones.

A slide's contrast is found once, over many of its tiles, by `contrast`; each tile is then shown by it. A tile
stretched to its own range would make noise look like cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasseg.images.preprocessing import resize
from kerasseg.report import pictures
from kerasseg.report.pictures import Limits

COLUMNS = 10  # of a sheet, as of the paper's
SIDE = 128  # pixels of a tile on a sheet
GAP = 6  # pixels between two
LINE = 17  # pixels of a caption's line
PERCENTILES = (0.5, 99.9)  # cells may cover less than a hundredth of a slide

PAPER, INK = (255, 255, 255), (74, 79, 87)
OUTLINE = np.array(pictures.PREDICTED, np.uint8)


def contrast(tiles: Sequence[np.ndarray]) -> Limits:
    """Find one contrast for all tiles of a slide: from the 0.5th to the 99.9th percentile over all of them.

    Parameters
    ----------
    tiles : sequence of np.ndarray
        (Y, X, C) of one type and number of channels; some hundreds are enough.

    Returns
    -------
    tuple of np.ndarray
        As `kerasseg.report.pictures.display` takes it.
    """
    pixels = np.concatenate([tile.reshape(-1, 1, tile.shape[-1]) for tile in tiles])
    return pictures.stretch(pixels, PERCENTILES)


def sheet(
    tiles: Sequence[np.ndarray],
    *,
    masks: Sequence[np.ndarray | None] = (),
    captions: Sequence[str] = (),
    columns: int = COLUMNS,
    side: int = SIDE,
) -> np.ndarray:
    """Lay tiles out in rows, left to right.

    Parameters
    ----------
    tiles : sequence of np.ndarray
        (Y, X, 3) uint8, as `kerasseg.report.pictures.display` makes them.
    masks : sequence of np.ndarray or None
        For each tile class ids or instance ids (Y, X), outlined in amber; none by default.
    captions : sequence of str
        What stands below each tile, a line each; nothing by default.
    columns : int, default 10
        Tiles in a row.
    side : int, default 128
        Pixels of a tile's longer side on the sheet. A smaller tile is enlarged a whole number of times.

    Returns
    -------
    np.ndarray
        (height, width, 3) uint8.
    """
    rows, step_x, step_y = -(-len(tiles) // columns), side + GAP, side + GAP + LINE * bool(captions)
    paper = Image.new("RGB", (columns * step_x - GAP, max(1, rows * step_y - GAP)), PAPER)
    canvas, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    for at, tile in enumerate(tiles):
        x, y = at % columns * step_x, at // columns * step_y
        paper.paste(Image.fromarray(framed(tile, masks[at] if masks else None, side)), (x, y))
        if captions:
            canvas.text((x, y + side + 2), captions[at], fill=INK, font=font)
    return np.array(paper)


def framed(tile: np.ndarray, mask: np.ndarray | None, side: int) -> np.ndarray:
    """Bring a tile (Y, X, 3) to its size on a sheet, and outline what its mask holds."""
    times = side / max(tile.shape[:2])
    size = tuple(max(1, round((int(times) or times) * length)) for length in tile.shape[:2])
    picture = _nearest(tile, size) if times >= 1 else resize(tile, size)
    if mask is None:
        return picture
    ids = np.where(mask > 0, mask % 254 + 1, 0).astype(np.uint8)  # there may be more than a byte counts
    return np.where(pictures.outline(_nearest(ids, size))[..., None], OUTLINE, picture)


def code_pictures(codes: np.ndarray) -> dict[str, np.ndarray]:
    """Picture codes by the least, the greatest and the deviation over their channels, as the paper does.

    Parameters
    ----------
    codes : np.ndarray
        (N, height, width, filters) float32.

    Returns
    -------
    dict of str to np.ndarray
        ``min``, ``max`` and ``deviation``: (N, height, width, 3) uint8, each stretched over all N alike.
    """
    seen = {"min": codes.min(axis=-1), "max": codes.max(axis=-1), "deviation": codes.std(axis=-1)}
    return {name: _stretched(values) for name, values in seen.items()}


def _stretched(values: np.ndarray) -> np.ndarray:
    """Show many pictures (N, Y, X) of one channel by one contrast: (N, Y, X, 3) uint8."""
    flat = values.reshape(1, -1)
    return pictures.display(flat).reshape(*values.shape, 3)


def _nearest(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST)
