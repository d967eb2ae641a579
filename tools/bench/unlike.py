"""How often an image is called unlike those that a recipe's network learnt from, rightly and wrongly.

    python tools/bench/unlike.py nuclei data.source.instances.root=data/nuclei_dsb2018
    python tools/bench/unlike.py phase_unet data.source.sartorius.root=data/phase_kaggle

The recipe's samples are shared out into five folds, by its groups. What a network would be shown of four
is measured as a training does it; printed is the share of images of the fifth that are called unlike, as
they are and altered. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np

from kerasseg.commands import preparation
from kerasseg.data.split import Split, split
from kerasseg.errors import UserError, counted
from kerasseg.images.appearance import Appearance
from kerasseg.images.preprocessing import Preprocessing, with_channels
from kerasseg.recipe import Recipe, load

FOLDS = 5
STRIDE = 32  # of the deepest networks


def scaled(image: np.ndarray, by: float) -> np.ndarray:
    """Enlarge or shrink an image (Y, X, C)."""
    method = cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR
    changed = cv2.resize(image, None, fx=by, fy=by, interpolation=method)
    return changed.reshape(*changed.shape[:2], image.shape[-1])


def field_of(image: np.ndarray, by: float) -> np.ndarray:
    """Show objects larger or smaller in a field of the same size: cut, or mirrored at the borders."""
    height, width, _ = image.shape
    changed = scaled(image, by)[:height, :width]
    missing = [(0, size - there) for size, there in zip((height, width), changed.shape, strict=False)]
    return np.pad(changed, [*missing, (0, 0)], mode="symmetric")


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Take an image out of focus."""
    return cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)


def stored(image: np.ndarray) -> np.ndarray:
    """Round to 8 bits."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


ALTERED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda image: image,
    "inverted": lambda image: 255 - image,
    "twice as large": lambda image: field_of(image, 2),
    "half as large": lambda image: field_of(image, 0.5),
    "Gaussian of 2 px": lambda image: blurred(image, 2),
    "Gaussian of 4 px": lambda image: blurred(image, 4),
    "exposed 4 times as long": lambda image: stored(image * 4.0),
    "noise of 25 of 255": lambda image: stored(image + np.random.default_rng(0).normal(0, 25, image.shape)),
}


def learnt(recipe: Recipe, parts: Split) -> Appearance:
    """Measure what a training would."""
    training, _ = preparation.streams(recipe, parts, preparation.model_channels(recipe, parts), STRIDE)
    return preparation.appearance(recipe, training)


def is_unlike(appearance: Appearance, preprocessing: Preprocessing, image: np.ndarray) -> bool:
    """Tell whether an image as stored, (Y, X, C), is called unlike."""
    pixels = preprocessing.image(image)
    return bool(appearance.difference(pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels))


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    try:
        recipe = load(given.recipe, given.overrides)
        samples = preparation.samples(recipe)
        data = recipe.data
        preprocessing = Preprocessing(data.channels, preparation.normalisation(recipe), data.resize)
        called: dict[str, list[bool]] = {name: [] for name in ALTERED}
        for fold in range(1, FOLDS + 1):
            by = {"group_by": data.split.group_by, "seed": recipe.seed}
            parts = split(samples, folds=FOLDS, fold=fold, **by)
            appearance = learnt(recipe, parts)
            for sample in parts.test:
                image = with_channels(sample.read(), data.channels)  # alpha is not to be altered
                for name, alter in ALTERED.items():
                    called[name].append(is_unlike(appearance, preprocessing, alter(image)))
    except UserError as error:
        parser.exit(2, "".join(f"error: {message}\n" for message in counted(error.messages)))
    for name, told in called.items():
        print(f"| {name} | {np.mean(told):.0%} | {sum(told)} of {len(told)} |")


if __name__ == "__main__":
    main()
