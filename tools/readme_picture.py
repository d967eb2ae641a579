"""The README's picture: a test image of a run, its outlines as drawn, and as predicted.

    kerasseg run recipes/nuclei.yaml data.source.instances.root=data/nuclei_dsb2018
    python tools/readme_picture.py runs/nuclei/1 IMAGE docs/pictures/nuclei.jpg

IMAGE is the name of an image among the run's predictions. Of a large image the middle is shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from kerasseg.commands import preparation
from kerasseg.images.folders import file_name
from kerasseg.inference import mask_files
from kerasseg.recipe import load
from kerasseg.report.pictures import PREDICTED, TRUTH, compressed, display, outline
from kerasseg.runs.rundirectory import PREDICTIONS, RECIPE, existing

SIDE = 256  # pixels of the image that are shown
ENLARGED = 2  # screen pixels for each of them
GAP = 8  # white screen pixels between the three


def middle(array: np.ndarray) -> np.ndarray:
    """Cut the middle out of an image or mask."""
    top, left = (max(0, (side - SIDE) // 2) for side in array.shape[:2])
    return array[top : top + SIDE, left : left + SIDE]


def outlined(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Draw the outline of a mask ``(Y, X)`` over a picture ``(Y, X, 3)``."""
    drawn = picture.copy()
    drawn[outline(mask)] = colour
    return drawn


def main() -> None:
    """Write the picture that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("image", help="its name in the run's split.csv")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    run = existing(given.run)
    (sample,) = [each for each in preparation.samples(load(run / RECIPE)) if each.name == given.image]
    predicted = mask_files.read(run / PREDICTIONS / file_name(sample.name))
    picture, truth, predicted = map(middle, (display(sample.read()), sample.annotate().mask, predicted))
    large = [np.kron(each, np.ones((ENLARGED, ENLARGED), np.uint8)) for each in (truth, predicted)]
    picture = picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    gap = np.full((len(picture), GAP, 3), 255, np.uint8)
    triptych = [picture, gap, outlined(picture, large[0], TRUTH), gap, outlined(picture, large[1], PREDICTED)]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(compressed(np.concatenate(triptych, axis=1), 2000))


if __name__ == "__main__":
    main()
