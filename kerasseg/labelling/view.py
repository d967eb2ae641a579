"""Tiles as labelme shows them: 8 bits, grey or colour, and all tiles of a slide by the same scale."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.labelling import folder

DARKEST, BRIGHTEST = 0.01, 0.99  # shares of the tiles that may be darker and brighter than the scale


def put(root: Path, tile: str, path: Path) -> None:
    """Put a tile's view where labelme looks for it; what is there already stays.

    Parameters
    ----------
    root : Path
        The labelling folder.
    tile : str
        Its name.
    path : Path
        Its file. An 8-bit PNG is linked, or copied where links are not possible.

    Raises
    ------
    UserError
        If the tile cannot be read, or its view not be written.
    """
    view = folder.view_path(root, tile)
    header = files.header(path)
    if view.is_file():
        return
    if path.suffix.lower() == ".png" and header.dtype == np.uint8:
        with write_atomically(view) as temporary:
            _link(path, temporary)
    else:
        files.write(view, as_shown(files.read(path), scale(root)))


def as_shown(image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Turn a tile into what a screen shows.

    Parameters
    ----------
    image : numpy.ndarray, (Y, X, C), uint8, uint16 or float32 in [0, 1]
    limits : tuple of float
        The intensities, in [0, 1] by the type's range, that become black and white.

    Returns
    -------
    numpy.ndarray, (Y, X, 1) or (Y, X, 3), uint8
        Of two channels the third colour is black; of more than three the first three are shown.
    """
    if image.shape[2] == 2:
        image = np.concatenate([image, np.zeros_like(image[..., :1])], axis=2)
    image = image[..., :3]
    if image.dtype == np.uint8:
        return image
    low, high = limits
    most = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    shown = (image / most - low) / max(high - low, 1 / 65535)
    return np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def scale(root: Path) -> tuple[float, float]:
    """Find what is black and what is white on a slide, from the means and deviations of its tiles.

    Nearly all tiles lie between two deviations below their mean and three above; a single scale keeps empty
    tiles dark, where one for each would show their noise.

    Returns
    -------
    tuple of float
        In [0, 1] by the type's range.
    """
    mean, deviation = (np.array(folder.tile_column(root, key), float) for key in ("mean", "deviation"))
    low = np.quantile(mean - 2 * deviation, DARKEST)
    high = np.quantile(mean + 3 * deviation, BRIGHTEST)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def _link(path: Path, link: Path) -> None:
    try:
        os.link(path, link)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(path, link)
