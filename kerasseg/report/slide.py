"""A slide's folder as pages of the labelling loop show it: its tiles, where each lies, and sheets of many.

All tiles are stretched alike, so that dark ones stay dark among bright ones: a tile stretched to its own
range would make noise look like cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasseg.errors import UserError
from kerasseg.images.preprocessing import resize
from kerasseg.labelling.folder import SlideTile, read_tiles
from kerasseg.labelling.slide import read_slide
from kerasseg.labelling.tiles import read_tile
from kerasseg.report import pictures
from kerasseg.report.pictures import Limits

ENOUGH = 400  # tiles, evenly spread over the slide, to find its contrast by
NOWHERE = 236  # the grey of places where no tile lies

COLUMNS = 10  # of a sheet, as of the paper's
SIDE = 128  # pixels of a tile on a sheet
GAP = 6  # pixels between two
LINE = 17  # pixels of a caption's line
PERCENTILES = (0.5, 99.9)  # cells may cover less than a hundredth of a slide

PAPER, INK = (255, 255, 255), (74, 79, 87)
OUTLINE = np.array(pictures.PREDICTED, np.uint8)


@dataclass(frozen=True)
class Slide:
    """Tiles and where they lie.

    Attributes
    ----------
    root : Path
        The slide's folder.
    cut : dict
        What ``slide.json`` says: the slide, and how it was cut.
    tiles : dict of str to SlideTile
        The tiles by their names.
    places : dict of tuple to str
        Names by row and column.
    limits : tuple of np.ndarray
        The contrast by which all are shown.
    """

    root: Path
    cut: dict
    tiles: dict[str, SlideTile]
    places: dict[tuple[int, int], str]
    limits: Limits

    @property
    def file(self) -> str:
        """The name of the slide's file."""
        return Path(self.cut["slide"]["path"]).name

    @property
    def grid(self) -> tuple[int, int]:
        """How many rows and columns have tiles: those of a region need not begin at 0."""
        (top, left), (rows, columns) = self.corner, zip(*self.places, strict=True)
        return max(rows) - top + 1, max(columns) - left + 1

    @cached_property
    def corner(self) -> tuple[int, int]:
        """The first row and the first column that have tiles."""
        rows, columns = zip(*self.places, strict=True)
        return min(rows), min(columns)

    def place(self, name: str) -> tuple[int, int]:
        """Row and column of a tile on the slide."""
        return self.tiles[name].row, self.tiles[name].column

    def spot(self, name: str) -> tuple[int, int]:
        """Row and column of a tile on a map, which begins where the tiles do."""
        (row, column), (top, left) = self.place(name), self.corner
        return row - top, column - left

    def picture(self, name: str) -> np.ndarray:
        """Show a tile: (Y, X, 3) uint8."""
        return pictures.display(read_tile(self.root, name), self.limits)

    def core(self, name: str) -> np.ndarray:
        """Show a tile without the margin that it shares with its neighbours: (Y, X, 3) uint8."""
        margin, picture = self.cut["margin"], self.picture(name)
        return picture[margin : picture.shape[0] - margin, margin : picture.shape[1] - margin]

    def around(self, name: str, reach: int = 1) -> np.ndarray:
        """Show a tile amid its neighbours, all without margins: (Y, X, 3) uint8, grey where there is none."""
        row, column = self.place(name)
        near = range(-reach, reach + 1)
        nothing = np.full_like(self.core(name), NOWHERE)
        names = [[self.places.get((row + down, column + right)) for right in near] for down in near]
        return np.vstack([np.hstack([self.core(n) if n else nothing for n in line]) for line in names])

    def overview(self, names: Iterable[str], side: int) -> np.ndarray:
        """Show the whole slide, each tile's core on `side` x `side` pixels: (Y, X, 3) uint8."""
        return self.map({name: resize(self.core(name), (side, side)) for name in names}, side)

    def map(self, squares: dict[str, np.ndarray], side: int) -> np.ndarray:
        """Lay squares, colours (3,) or pictures (side, side, 3), where their tiles lie."""
        rows, columns = self.grid
        drawn = np.full((rows * side, columns * side, 3), NOWHERE, np.uint8)
        for name, square in squares.items():
            y, x = (side * at for at in self.spot(name))
            drawn[y : y + side, x : x + side] = square
        return drawn


def open_slide(root: Path) -> Slide:
    """Read what a slide was cut into, and find its contrast.

    Parameters
    ----------
    root : Path
        A folder with ``slide.json``, ``tiles.csv`` and ``tiles``.

    Returns
    -------
    Slide

    Raises
    ------
    UserError
        If one of them is missing or holds no tile.
    """
    root = Path(root)
    tiles = {tile.name: tile for tile in read_tiles(root)}
    if not tiles:
        raise UserError(f"{root}: there are no tiles; crop the slide first")
    places = {(tile.row, tile.column): name for name, tile in tiles.items()}
    some = list(tiles)[:: -(-len(tiles) // ENOUGH)]
    limits = contrast([read_tile(root, name) for name in some])
    return Slide(root, read_slide(root), tiles, places, limits)


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


def embedding_pictures(embeddings: np.ndarray) -> dict[str, np.ndarray]:
    """Picture embeddings by the least, the greatest and the deviation over their channels, as the paper does.

    Parameters
    ----------
    embeddings : np.ndarray
        (N, height, width, filters) float32.

    Returns
    -------
    dict of str to np.ndarray
        ``min``, ``max`` and ``deviation``: (N, height, width, 3) uint8, each stretched over all N alike.
    """
    summaries = {
        "min": embeddings.min(axis=-1),
        "max": embeddings.max(axis=-1),
        "deviation": embeddings.std(axis=-1),
    }
    return {name: _stretched(values) for name, values in summaries.items()}


def _stretched(values: np.ndarray) -> np.ndarray:
    """Show many pictures (N, Y, X) of one channel by one contrast: (N, Y, X, 3) uint8."""
    flat = values.reshape(1, -1)
    return pictures.display(flat).reshape(*values.shape, 3)


def _nearest(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST)
