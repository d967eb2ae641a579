"""One huge fluorescence slide with known truth, out of the fields of Data Science Bowl 2018.

    python tools/compose_slide.py data/nuclei slides/dsb

leaves in the folder

    slide.ome.tif            the slide, in compressed tiles with smaller levels
    truth.labels.ome.tif     its nuclei as int32, each with a number of its own
    regions.json             where to train and where to test, and which field lies where

A field is taken if it is dark: fluorescence has a mean intensity below `DARKEST_BRIGHT`, stained tissue one
far above. Fields keep their pixels (times 257 in uint16, so that black and white stay the ends of the range),
and are flipped and turned at random. Tissue lies in patches of uneven density with large empty regions
between. The left of the slide is for training and the right for testing; no field lies in both. A nucleus
that its field's border cut, or that was annotated in several pieces, is named in ``regions.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cc3d
import numpy as np

from kerasseg.console import console, say
from kerasseg.errors import UserError, naming
from kerasseg.files import write_json
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.preprocessing import with_channels
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.recipe.sources import Instances

DARKEST_BRIGHT = 64  # of 255: the fields' means lie below 42 or above 140
FACTORS = {"uint8": 1, "uint16": 257}
TRAINED = 0.7  # of the slide's width, and of the fields
GAP = 8  # pixels between fields, so that nuclei of two fields do not touch
TISSUES = 6  # patches of tissue
EMPTY = 0.3  # no fields where there is less tissue
CAMERA = (6.0, 1.5)  # mean and standard deviation of a camera's dark image


@dataclass(frozen=True)
class Field:
    """A field of Data Science Bowl 2018."""

    name: str
    image: np.ndarray = field(repr=False)  # (Y, X) uint8
    labels: np.ndarray = field(repr=False)  # (Y, X) int32: 0, and every number up to the largest

    @property
    def density(self) -> float:
        """Nuclei a pixel."""
        return self.labels.max() / self.labels.size


@dataclass(frozen=True)
class Box:
    """A part of the slide."""

    y: int
    x: int
    height: int
    width: int


@dataclass(frozen=True)
class Patch:
    """A field on the slide: flipped left to right or not, then turned by so many right angles."""

    field: Field
    box: Box
    flipped: bool
    turns: int

    def placed(self, pixels: np.ndarray) -> np.ndarray:
        """Flip and turn the field's image or labels as they lie on the slide."""
        return np.rot90(pixels[:, ::-1] if self.flipped else pixels, self.turns)


def dark_fields(root: Path) -> list[Field]:
    """Read the fields whose mean intensity is that of fluorescence."""
    fields = []
    for sample in Instances(root=root).build(classes=["nucleus"]):
        with naming(sample.name):
            image = with_channels(sample.read(), 1)[..., 0]
        if image.mean() < DARKEST_BRIGHT:
            numbers = np.unique(sample.annotate().labels, return_inverse=True)[1]  # one may hide another
            fields.append(Field(sample.name, image, numbers.reshape(image.shape).astype(np.int32)))
    if len(fields) < 2:
        raise UserError(
            f"{root}: {len(fields)} fields are darker than {DARKEST_BRIGHT}; expected two or more"
        )
    return fields


def parted(fields: Sequence[Field], rng: np.random.Generator) -> tuple[list[Field], list[Field]]:
    """Draw the fields for training; both parts are ordered by the density of their nuclei."""
    order = rng.permutation(len(fields))
    trained = min(max(1, round(TRAINED * len(fields))), len(fields) - 1)
    parts = order[:trained], order[trained:]
    return tuple(sorted((fields[at] for at in part), key=lambda one: one.density) for part in parts)


class Layout:
    """Where fields go: a value for each seed, known before a pixel of the slide is made.

    Parameters
    ----------
    size : tuple of int
        Height and width of the slide.
    fields : sequence of Field
    seed : int
    """

    def __init__(self, size: tuple[int, int], fields: Sequence[Field], seed: int) -> None:
        self.size, self._rng = size, np.random.default_rng(seed)
        height, width = size
        border = round(TRAINED * width)
        self.regions = {"train": Box(0, 0, height, border), "test": Box(0, border, height, width - border)}
        self._fields = dict(zip(self.regions, parted(fields, self._rng), strict=True))
        self._tissue = self._rng.uniform((0, 0, 0.08), (1, 1, 0.2), (TISSUES, 3))  # y, x and radius
        self._tissue[:, 1] = (np.arange(TISSUES) + self._tissue[:, 1]) / TISSUES  # some in each region
        self._tallest = max(min(one.image.shape) for one in fields) + GAP
        self._step = int(np.median([one.image.shape[1] for one in fields]))

    def shelves(self) -> Iterator[tuple[Box, list[tuple[str, Patch]]]]:
        """Yield the slide from top to bottom, in bands of full width with the patches in each region."""
        height, width = self.size
        for top in range(0, height, self._tallest):
            shelf = Box(top, 0, min(self._tallest, height - top), width)
            patches = []
            for name, region in self.regions.items():
                box = Box(top, region.x, shelf.height, region.width)
                patches += [(name, patch) for patch in self._fill(box, self._fields[name])]
            yield shelf, patches

    def _fill(self, box: Box, fields: list[Field]) -> Iterator[Patch]:
        """Lay a field into the upper left corner, or nothing, and then fill what is beneath and beside it."""
        if box.width <= 0:
            return
        patch = self._drawn(box, fields)
        taken = patch.box.width + GAP if patch else self._step
        if patch:
            down = patch.box.height + GAP
            yield patch
            yield from self._fill(Box(box.y + down, box.x, box.height - down, patch.box.width), fields)
        yield from self._fill(Box(box.y, box.x + taken, box.height, box.width - taken), fields)

    def _drawn(self, box: Box, fields: list[Field]) -> Patch | None:
        """Draw a field as dense as the tissue there, and how it lies; None where it is empty or narrow."""
        tissue = self._tissue_at(box.y, box.x)
        fitting = [one for one in fields if _lying(one)[0] <= box.height and _lying(one)[1] <= box.width]
        wanted = np.clip(self._rng.normal(tissue, 0.2), 0, 0.999)
        flipped, half, quarter = (bool(draw) for draw in self._rng.integers(0, 2, 3))
        if tissue < EMPTY or not fitting:
            return None
        chosen = fitting[int(wanted * len(fitting))]
        height, width = chosen.image.shape
        odd = height > width or (height == width and quarter)
        return Patch(chosen, Box(box.y, box.x, *_lying(chosen)), flipped, 2 * half + odd)

    def _tissue_at(self, y: int, x: int) -> float:
        """Tell how much tissue there is, from 0 to 1: the nearest patch's Gaussian."""
        place = np.array([y, x]) / self.size
        distances = np.hypot(*(self._tissue[:, :2] - place).T)
        return float(np.exp(-0.5 * (distances / self._tissue[:, 2]) ** 2).max())


def _lying(one: Field) -> tuple[int, int]:
    """Give a field's size as it lies on the slide: never higher than wide."""
    return tuple(sorted(one.image.shape))


def compose(layout: Layout, image: OnDisk, labels: OnDisk, background: str, seed: int) -> list[dict]:
    """Fill the slide and its labels band by band, and tell what lies where."""
    told, count, factor = [], 0, FACTORS[image.dtype.name]
    for shelf, patches in layout.shelves():
        rows = slice(shelf.y, shelf.y + shelf.height)
        band, numbers = empty(shelf, background, seed), np.zeros((shelf.height, shelf.width), np.int32)
        for region, patch in patches:
            own = patch.placed(patch.field.labels)
            place = (slice(patch.box.y - shelf.y, None), slice(patch.box.x, None))
            band[place][: own.shape[0], : own.shape[1]] = patch.placed(patch.field.image)
            numbers[place][: own.shape[0], : own.shape[1]] = np.where(own > 0, own + count, 0)
            told.append({"region": region, **as_json(patch, own, count)})
            count += int(own.max())
        image[rows] = band.astype(image.dtype) * factor
        labels[rows] = numbers
    return told


def empty(shelf: Box, background: str, seed: int) -> np.ndarray:
    """Make a band (Y, X) uint8 in which nothing lies: what a camera sees in the dark, or exact zeros."""
    size = (shelf.height, shelf.width)
    if background == "zero":
        return np.zeros(size, np.uint8)
    mean, deviation = CAMERA
    noise = np.random.default_rng([seed, shelf.y]).standard_normal(size, np.float32)
    return np.clip(np.rint(noise * deviation + mean), 0, 255).astype(np.uint8)


def as_json(patch: Patch, own: np.ndarray, before: int) -> dict:
    """Tell where a patch lies and which of its nuclei are not whole; their numbers follow `before`."""
    border = np.concatenate([own[0], own[-1], own[:, 0], own[:, -1]])
    pieces = cc3d.connected_components(own, connectivity=8)
    first = np.unique(pieces, return_index=True)[1]
    nuclei, counts = np.unique(own.ravel()[first], return_counts=True)
    return {
        "field": patch.field.name,
        **vars(patch.box),
        "flipped": patch.flipped,
        "turns": patch.turns,
        "numbers": [before + 1, before + int(own.max())],
        "cut_by_the_field": (np.unique(border[border > 0]) + before).tolist(),
        "in_pieces": (nuclei[(counts > 1) & (nuclei > 0)] + before).tolist(),
    }


def write(folder: Path, given: argparse.Namespace) -> dict:
    """Write the slide, its truth and what they are made of."""
    size = (given.height, given.width)
    layout = Layout(size, dark_fields(given.data), given.seed)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        image = ondisk.create(Path(scratch) / "image.npy", np.dtype(given.dtype), size)
        labels = ondisk.create(Path(scratch) / "labels.npy", np.dtype(np.int32), size)
        patches = compose(layout, image, labels, given.background, given.seed)
        write_tiff(folder / "slide.ome.tif", Result(image, "YX", (None, None), "area"))
        write_tiff(folder / "truth.labels.ome.tif", Result(labels, "YX", (None, None), "nearest"))
    settings = {name: getattr(given, name) for name in ("width", "height", "dtype", "background", "seed")}
    regions = {name: vars(box) for name, box in layout.regions.items()}
    told = {"slide": settings, "regions": regions, "patches": patches}
    write_json(folder / "regions.json", told)
    return told


def main() -> None:
    """Make a slide, and say how many fields and nuclei it has."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("data", type=Path, help="has a folder a field, of images/ and masks/")
    arguments.add_argument("folder", type=Path, help="gets the three files")
    arguments.add_argument("--width", type=int, default=10231)
    arguments.add_argument("--height", type=int, default=7162)
    arguments.add_argument("--dtype", choices=FACTORS, default="uint8")
    arguments.add_argument("--background", choices=("noise", "zero"), default="noise")
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    try:
        patches = write(given.folder, given)["patches"]
    except UserError as error:
        console.print(error, style="red", markup=False)
        raise SystemExit(2) from error
    nuclei = patches[-1]["numbers"][1] if patches else 0
    fields = {patch["field"] for patch in patches}
    say(f"{given.folder}: {nuclei} nuclei in {len(patches)} patches of {len(fields)} fields")


if __name__ == "__main__":
    main()
