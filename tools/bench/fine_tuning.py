"""What it is worth to go on from a model: few new images, learnt by a trained network and by a new one.

    python tools/bench/fine_tuning.py FOLDER --out OUT
    python tools/bench/fine_tuning.py ../shared/data/nuclei_dsb2018 --out /tmp/fine_tuning

The fields of the Data Science Bowl 2018 are drawn into three lots: a base model learns from the first for 400
steps; networks that go on from it, and new ones, learn from few fields of the second for 150 steps each; all
are judged on the third. Of the second and the third those of fluorescence are taken, which are dark: the few
others decide every score. The networks are narrow, so that a point takes seconds of one core.
``OUT/scores.csv`` gets a row for each, and is gone on with.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from kerasseg.commands.learning_curve.learner import Learner
from kerasseg.commands.preparation import samples as samples_of
from kerasseg.commands.train import run
from kerasseg.data.sample import Sample
from kerasseg.metrics import instance, pixel
from kerasseg.recipe import Recipe, load
from kerasseg.runs.rundirectory import MODEL
from kerasseg.startup import start_tensorflow

RECIPE = Path(__file__).parents[2] / "recipes" / "nuclei.yaml"
BASE, TEST = 17, 10  # fields of the first lot and of the last; the second is between them
NUMBERS = (2, 5, 10, 16)
DARK = 80  # mean intensity below which a field is one of fluorescence
SMALL = ("model.unet.base_filters=8", "data.patch.size=96", "train.batch_size=4")
LONG = (*SMALL, "train.epochs=8", "train.steps_per_epoch=50", "export.saved_model=false")
SHORT = (*SMALL, "train.epochs=5", "train.steps_per_epoch=30")
COLUMNS = ("begins", "seed", "fields", "ap50", "dice")


def main() -> None:
    """Compute the points that are missing, and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    start_tensorflow()
    given.out.mkdir(parents=True, exist_ok=True)
    root = f"data.source.instances.root={given.folder}"
    fields = samples_of(load(RECIPE, [root]))
    random.Random(0).shuffle(fields)
    first, candidates, test = fields[:BASE], dark(fields[BASE:-TEST]), dark(fields[-TEST:])
    model = base(first, given.out)
    print(f"{len(first)} fields for the base, {len(candidates)} to learn from, {len(test)} of the test")
    going_on = f"train.start_from={model}"
    frozen = ("train.encoder.frozen_epochs=2", "train.encoder.rate=0.1")
    ways = {"anew": (), "base": (going_on,), "base, encoder frozen": (going_on, *frozen)}
    for seed in range(given.seeds):
        recipes = {way: load(RECIPE, [root, f"seed={seed}", *SHORT, *rest]) for way, rest in ways.items()}
        compute(recipes, candidates, test, given.out / "scores.csv")
    print((given.out / "scores.csv").read_text())


def dark(fields: list[Sample]) -> list[Sample]:
    """Take the fields of fluorescence."""
    return [sample for sample in fields if sample.read()[..., :3].mean() < DARK]


def base(fields: list[Sample], out: Path) -> Path:
    """Train the model that others go on from, unless it is there."""
    folder = out / "fields"
    for sample in fields:
        link = folder / Path(str(sample.image)).parents[1].name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(Path(str(sample.image)).parents[1].resolve())
    model = out / "nuclei" / "1"
    if not (model / MODEL).exists():
        root = f"data.source.instances.root={folder}"
        run(load(RECIPE, [root, *LONG, "data.split.train=0.9", "data.split.test=0.1"]), directory=out)
    return model


def compute(recipes: dict[str, Recipe], candidates: list[Sample], test: list[Sample], path: Path) -> None:
    """Learn from more and more fields, in turns from each beginning, and score on the test's."""
    with tempfile.TemporaryDirectory() as folder:
        learners = {
            way: Learner(recipe, 1, Path(tempfile.mkdtemp(dir=folder))) for way, recipe in recipes.items()
        }
        for number, (way, learner) in product((0, *NUMBERS), learners.items()):
            seed = learner.recipe.seed
            if (way, str(seed), str(number)) in known(path) or (number == 0 and way != "base"):
                continue
            learner.learn(random.Random(seed).sample(candidates, len(candidates))[:number])
            ap50, dice = scores(learner, test)
            with path.open("a", newline="") as file:
                csv.writer(file).writerow((way, seed, number, f"{ap50:.4f}", f"{dice:.4f}"))
            print(way, seed, number, f"AP 0.5 {ap50:.3f}, Dice {dice:.3f}", flush=True)


def known(path: Path) -> set[tuple[str, ...]]:
    """Read which points are known."""
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n")
    with path.open(newline="") as file:
        return {(row["begins"], row["seed"], row["fields"]) for row in csv.DictReader(file)}


def scores(learner: Learner, test: list[Sample]) -> tuple[float, float]:
    """Give AP at an IoU of 0.5, as the Data Science Bowl counts it, and Dice, both pooled over the test."""
    spec, objects, pixels = learner.segmenter.spec, [], []
    for sample in test:
        truth, answer = sample.annotate(), learner.segmenter.predict(sample.read(), str(sample.image))
        mask = spec.decide(answer)
        labels = spec.label(mask, spec.landscape(answer))
        objects.append(instance.count(instance.overlap(truth.labels, labels)))
        pixels.append(pixel.count_foreground(truth.mask, mask))
    pooled = instance.Counts(*(np.sum(each, axis=0) for each in zip(*objects, strict=True)))
    counts = pixel.Counts(*map(sum, zip(*pixels, strict=True)))
    return float(pixel.iou(pooled)[instance.PERCENT_50]), float(pixel.dice(counts)[0])


if __name__ == "__main__":
    main()
