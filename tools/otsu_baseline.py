"""What Otsu's threshold alone makes of a recipe's test volumes: what a network must beat.

    python tools/otsu_baseline.py recipes/golgi_cyclegan.yaml golgi=0 nuclei=1 --seeds 7 8

thresholds each channel of each test volume by itself, and scores it as a run scores its model: the classes'
precision, recall and Dice, counted over whole volumes, as means over these. It learns nothing, but it is told
in which channel a class shines.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from kerasseg.commands import preparation
from kerasseg.console import console, saying_warnings, track
from kerasseg.data.sample import Sample
from kerasseg.errors import UserError, counted
from kerasseg.metrics import pixel
from kerasseg.recipe import Recipe, load

SCORES = ("precision", "recall", "dice")


def otsu(image: np.ndarray, channels: Sequence[int], smooth: Sequence[float]) -> np.ndarray:
    """Threshold channels of a volume, each at the level that parts its histogram best (Otsu 1979).

    Parameters
    ----------
    image : numpy.ndarray, shape (Z, Y, X, C)
        As it is stored.
    channels : sequence of int
        The channel of each of the K classes.
    smooth : sequence of float
        Standard deviation, in voxels (z, y, x), of the Gaussian that goes before; zeros for none.

    Returns
    -------
    numpy.ndarray, shape (Z, Y, X, K), uint8
        1 above the threshold.
    """
    seen = [gaussian_filter(image[..., channel].astype(np.float32), smooth) for channel in channels]
    return np.stack([(each > threshold_otsu(each)).astype(np.uint8) for each in seen], axis=-1)


def baseline(recipe: Recipe, channels: Mapping[str, int], smooth: float) -> dict[str, dict]:
    """Score Otsu's masks of the recipe's test volumes, as `kerasseg.metrics.pixel.scores` does.

    Raises
    ------
    UserError
        If a class has no channel, or an image has no such channel.
    """
    classes = recipe.data.classes
    if missing := [name for name in classes if name not in channels]:
        raise UserError(f"{', '.join(missing)}: say which channel shows it, as in {missing[0]}=0")
    wanted = [channels[name] for name in classes]
    counts = []
    for sample in track(preparation.parts(recipe).test, f"thresholding, seed {recipe.seed}"):
        image = sample.read()
        if max(wanted) >= image.shape[-1]:
            raise UserError(f"{sample.image}: channel {max(wanted)} of {image.shape[-1]}; they begin at 0")
        found = otsu(image, wanted, _voxels(smooth, sample))
        counts.append(pixel.count(sample.annotate().mask, found, len(classes), exclusive=False))
    return pixel.scores(counts, classes)


def _voxels(micrometres: float, sample: Sample) -> list[float]:
    if micrometres and sample.spacing is None:
        raise UserError(f"{sample.image} does not say how large a voxel is: leave --smooth away")
    return [micrometres / step for step in sample.spacing or (1.0,) * len(sample.size)]


def show(rows: Sequence[tuple[int, dict[str, dict]]]) -> Table:
    """Lay scores out, a line for each seed and class."""
    table = Table("seed", "class", *SCORES, title="Otsu's threshold, means over test volumes")
    for seed, scores in rows:
        for name, of in scores.items():
            table.add_row(str(seed), name, *(f"{of[f'{score}_per_image']:.4f}" for score in SCORES))
    return table


def channel(told: str) -> tuple[str, int]:
    """Read CLASS=CHANNEL."""
    name, _, number = told.partition("=")
    if not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{told!r}: expected a class and its channel, such as nuclei=1")
    return name, int(number)


def main() -> None:
    """Score what is given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("channels", type=channel, nargs="+", metavar="CLASS=CHANNEL")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7], help="each draws other test volumes")
    parser.add_argument("--smooth", type=float, default=0.0, help="Gaussian beforehand, in micrometres")
    given = parser.parse_args()
    channels = dict(given.channels)
    try:
        with saying_warnings([]):
            recipes = [load(given.recipe, [f"seed={seed}"]) for seed in given.seeds]
            scored = [(recipe.seed, baseline(recipe, channels, given.smooth)) for recipe in recipes]
    except UserError as error:
        parser.exit(2, "".join(f"error: {message}\n" for message in counted(error.messages)))
    console.print(show(scored))


if __name__ == "__main__":
    main()
