"""What an embedding sees of a slide's tiles: batches in [0, 1], read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.padding import cut
from kerasseg.images.preprocessing import stretch
from kerasseg.labelling.tiles import SlideTile, read_tile, tile_path


class Pixels:
    """The tiles of a slide, of one size and type.

    Parameters
    ----------
    root : Path
        The labelling folder.
    tiles : sequence of SlideTile
        At least one.
    normalise : Normalisation
        What becomes 0 and 1. It is asked of all tiles together, so that dark tiles stay dark.

    Attributes
    ----------
    tiles : tuple of SlideTile
    shape : tuple of int
        (Y, X, C) of each tile.
    """

    def __init__(self, root: Path, tiles: Sequence[SlideTile], normalise: Normalisation) -> None:
        self.root, self.tiles = root, tuple(tiles)
        first = read_tile(root, tiles[0].name)
        self.shape, self._dtype = first.shape, first.dtype
        self._limits = normalise.limits(lambda: (self._read(tile.name) for tile in self.tiles), first.dtype)

    def __len__(self) -> int:
        """Count the tiles."""
        return len(self.tiles)

    def batch(self, places: Sequence[int], multiple_of: int = 1) -> np.ndarray:
        """Read some tiles.

        Parameters
        ----------
        places : sequence of int
            Which, by their places in `tiles`.
        multiple_of : int
            The stride of a network: sides that are no multiple of it go on a little, mirrored.

        Returns
        -------
        numpy.ndarray, shape (B, Y, X, C), float32 in [0, 1]

        Raises
        ------
        UserError
            If a tile is gone, damaged, or of another size or type than the first.
        """
        padded = tuple(slice(0, -(-side // multiple_of) * multiple_of) for side in self.shape[:2])
        tiles = (self._read(self.tiles[at].name) for at in places)
        return np.stack([cut(stretch(tile, self._limits), padded) for tile in tiles])

    def _read(self, name: str) -> np.ndarray:
        pixels = read_tile(self.root, name)
        if (pixels.shape, pixels.dtype) != (self.shape, self._dtype):
            raise UserError(
                f"{tile_path(self.root, name)}: the tile is {pixels.shape} {pixels.dtype}; expected "
                f"{self.shape} {self._dtype}, as {self.tiles[0].name} is. Crop the slide again"
            )
        return pixels
