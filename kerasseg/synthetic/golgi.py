"""SYNTHETIC volumes of nucleus-Golgi pairs with their truth, for where there are no real data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.synthetic import golgi_images, golgi_masks
from kerasseg.synthetic.golgi_masks import GOLGI, NUCLEUS, PAIRS, SPACING, Scene, Size, Spacing
from kerasseg.synthetic.origin import synthetic_folder

COLUMNS = ("pair", "nucleus_z", "nucleus_y", "nucleus_x", "golgi_z", "golgi_y", "golgi_x")

ABOUT = """\
SYNTHETIC volumes of nucleus-Golgi pairs, made by: kerasseg data synthesize golgi

No cell was ever here. Nuclei are ellipsoids and Golgi spheres, of random size, distance and rotation, bent
elastically; no two overlap, and borders cut through some. Files of one name belong together.

images/  what a confocal microscope would show of them: golgi, nuclei; absent where only masks were wanted
masks/   0 or 255: golgi, nuclei, pair; a pair is its nucleus and its Golgi, where both can be seen
labels/  numbers: golgi, nuclei; those of a pair have the same number
pairs/   where the nucleus and the Golgi of each pair have their centres, where both can be seen: z, y and x
         in micrometres from the centre of the first voxel

All volumes are OME-TIFF, ZCYX; they say how large a voxel is.
"""


def synthesize(
    root: Path,
    *,
    volumes: int = 6,
    size: Size = (60, 192, 192),
    seed: int = 0,
    masks_only: bool = False,
    pairs: tuple[int, int] = PAIRS,
    spacing: Spacing = SPACING,
) -> None:
    """Write synthetic volumes: ``images``, ``masks``, ``labels``, ``pairs`` and a marker of their origin.

    Parameters
    ----------
    root : Path
        The folder to appear, complete or not at all; an empty one may be there.
    volumes : int, default 6
        How many.
    size : tuple of int, default (60, 192, 192)
        Planes, height and width in voxels. The thesis' crops are of 55 to 61 planes, 257 x 505 to 627 x 818.
    seed : int, default 0
        The same seed writes the same files.
    masks_only : bool, default False
        Leave ``images`` out, and draw other pairs than those that the same seed puts into images.
    pairs : tuple of int, default (40, 90)
        The fewest and the most in a volume; as in :func:`kerasseg.synthetic.golgi_masks.scene`.
    spacing : tuple of float, default (0.5, 0.3, 0.3)
        Voxel size (z, y, x) in micrometres.

    Raises
    ------
    UserError
        If there is anything in `root`, it cannot be written, or an argument makes no sense.
    """
    if volumes < 1:
        raise UserError(f"volumes: {volumes}; expected at least 1")
    if seed < 0:
        raise UserError(f"seed: {seed}; expected 0 or more")
    kind = "masks of volumes" if masks_only else "volumes"
    with synthetic_folder(root, f"{volumes} synthetic {kind}, seed {seed}; no cell was ever here.") as folder:
        (folder / "README.txt").write_text(ABOUT, encoding="utf-8")
        for at in track(range(volumes), f"making SYNTHETIC {kind}"):
            name, rng = f"golgi{at:04d}", np.random.default_rng((seed, int(masks_only), at))
            made = golgi_masks.scene(size, rng, spacing=spacing, pairs=pairs)
            _write_truth(folder, name, made, spacing)
            if not masks_only:
                image = golgi_images.fluorescence(made, rng, spacing=spacing)
                _write(folder / "images" / f"{name}.tif", image, golgi_images.CHANNELS, spacing, "area")


def _write_truth(folder: Path, name: str, made: Scene, spacing: Spacing) -> None:
    masks, names = made.masks(), golgi_masks.CHANNELS
    _write(folder / "masks" / f"{name}.tif", masks, names, spacing, "nearest")
    _write(folder / "labels" / f"{name}.tif", made.labels, names[: made.labels.shape[-1]], spacing, "nearest")
    with (
        write_atomically(folder / "pairs" / f"{name}.csv") as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for index in np.flatnonzero(made.complete):
            centres = made.centres[index, [NUCLEUS, GOLGI]].ravel()
            table.writerow([index + 1, *(f"{length:.3f}" for length in centres)])


def _write(path: Path, pixels: np.ndarray, channels: tuple[str, ...], spacing: Spacing, shrink: str) -> None:
    write_tiff(path, Result(pixels, "ZYXC", tuple(spacing), shrink, channels))
