"""labelme beside the queue: tiles as it shows them, and the command line that opens it there.

labelme shows 8 bits, grey or colour, and all tiles of a slide are shown by the same scale.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kerasseg.annotations.shapes import IGNORE_LABEL
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.labelling import folder

DARKEST, BRIGHTEST = 0.01, 0.99  # shares of the tiles that may be darker and brighter than the scale
_BEFORE_6 = ("--nodata", "--autosave")  # what version 6 does without being asked


def put_view(root: Path, tile: str) -> None:
    """Put a tile's view where labelme looks for it; what is there already stays.

    An 8-bit PNG is linked, or copied where links are not possible.

    Raises
    ------
    UserError
        If the tile cannot be read, or its view not be written.
    """
    path, view = folder.existing_tile(root, tile), folder.view_path(root, tile)
    header = files.header(path)
    if view.is_file():
        return
    if path.suffix == ".png" and header.dtype == np.uint8:
        with write_atomically(view) as temporary:
            try:
                os.link(path, temporary)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(path, temporary)
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
    tiles = folder.read_tiles(root)
    mean = np.array([tile.mean for tile in tiles])
    deviation = np.array([tile.deviation for tile in tiles])
    low = np.quantile(mean - 2 * deviation, DARKEST)
    high = np.quantile(mean + 3 * deviation, BRIGHTEST)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def command(root: Path, classes: Sequence[str]) -> list[str]:
    """Write the command line that opens labelme on the queue.

    labelme knows the classes and ``__ignore__``, and lets nobody type another; it saves by itself, and
    leaves the pixels in the image files.

    Raises
    ------
    UserError
        If nothing was put before a person yet, or labelme is not installed.
    """
    views = Path(root).resolve() / folder.DRAWINGS
    if next(views.glob("*.png"), None) is None:
        raise UserError(f"{views}: there is no tile to label; type kerasseg label propose RECIPE first")
    labels = ",".join([*classes, IGNORE_LABEL])
    return [*_labelme(), str(views), "--labels", labels, "--validate-label", "exact", *_labelme_options()]


def open_labelme(root: Path, classes: Sequence[str]) -> None:
    """Open labelme on the queue, and wait until it is closed; see :func:`command`.

    Raises
    ------
    UserError
        As :func:`command`, and if labelme fails.
    """
    line = command(root, classes)
    code = subprocess.run(line, cwd=Path(root) / folder.DRAWINGS, check=False).returncode
    if code:
        raise UserError(f"labelme ended with code {code}; it needs a screen. What ran: {' '.join(line)}")


def _labelme() -> list[str]:
    """Find labelme: this Python's own, otherwise the program of that name."""
    if find_spec("labelme"):
        return [sys.executable, "-m", "labelme"]
    program = shutil.which("labelme")
    if program is None:
        raise UserError(
            "labelme is not installed; type pip install 'kerasseg[labelme]', or open the folder queue with a "
            "labelme elsewhere: what it saves is found"
        )
    return [program]


def _labelme_options() -> tuple[str, ...]:
    try:
        return _BEFORE_6 if int(version("labelme").split(".")[0]) < 6 else ()
    except PackageNotFoundError:
        return ()
