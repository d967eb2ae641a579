"""The verb `compare`: what differs between runs, and whether their scores differ by more than chance."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.errors import Mistakes, UserError, flattened
from kerasseg.files import sha256
from kerasseg.images.folders import file_name
from kerasseg.inference import mask_files
from kerasseg.metrics.paired import difference
from kerasseg.recipe import load
from kerasseg.report import compare as page
from kerasseg.report import pictures
from kerasseg.report.compare import Comparison, Picture, Score
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import METRICS, PREDICTIONS, RECIPE, SPLIT, SUMMARY, RunDirectory
from kerasseg.segmenter import read_spec

MEASURES = {
    "dice": "Dice",
    "iou": "IoU",
    "average_precision_dsb2018": "AP (DSB 2018)",
    "pq": "PQ",
    "aji": "AJI",
}
MOST_DIFFERENT = 2  # of the images that are shown


@dataclass(frozen=True)
class ScoredRun:
    """A run that has been scored on its test images.

    Attributes
    ----------
    path : Path
        As it was given.
    folder : RunDirectory
    """

    path: Path
    folder: RunDirectory

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What ``metrics.json`` holds."""
        return self.folder.read_json(METRICS)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The recipe's values, by the keys that lead to them."""
        return flattened(yaml.safe_load((self.folder / RECIPE).read_text(encoding="utf-8")))

    @cached_property
    def test_images(self) -> dict[str, Path]:
        """Where the images lie that it was tested on, by their names."""
        with (self.folder / SPLIT).open(newline="", encoding="utf-8") as file:
            return {row["name"]: Path(row["image"]) for row in csv.DictReader(file) if row["part"] == "test"}

    @cached_property
    def scores(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Scores at the images' own size: from a class to a measure to an image."""
        pixels = (self.metrics["test_original_size"] or self.metrics["test"])["images"]
        objects = (self.metrics["instances"] or {"images": {}})["images"]
        scores: dict[str, dict[str, dict[str, float | None]]] = {}
        for source in (pixels, objects):
            for image, classes in source.items():
                for name, measures in classes.items():
                    for measure in measures.keys() & MEASURES.keys():
                        scores.setdefault(name, {}).setdefault(measure, {})[image] = measures[measure]
        return scores


def compare(paths: Sequence[Path], out: Path) -> Path:
    """Compare runs on the test images that all of them have, and write a page and a table.

    Parameters
    ----------
    paths : sequence of Path
        Folders of finished runs; the others are compared with the first.
    out : Path
        The folder that gets ``compare.html`` and ``compare.csv``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UserError
        If there are not two runs, one has no scores, or they have no test image or no class in common.
    """
    runs = _scored_runs(paths)
    images = _common_images(runs)
    scores = list(_scores(runs, images))
    if not scores:
        found = ", ".join(dict.fromkeys(name for run in runs for name in run.scores))
        raise UserError(f"the runs have no class in common; they have {found}")
    comparison = Comparison(
        [str(run.path) for run in runs], _different_settings(runs), _costs(runs), images, scores
    )
    for score in scores:
        for run, mean, compared in zip(comparison.runs, score.means, score.differences, strict=True):
            told = f", {compared.mean:+.4f}: {compared.verdict}" if compared else ""
            say(f"{score.title} {mean:.4f}  {run}{told}")
    path = page.write(out, comparison, _pictures(runs, images, scores[0]))
    say(f"wrote {path}")
    return path


def _scored_runs(paths: Sequence[Path]) -> list[ScoredRun]:
    """Open the runs; all that cannot be compared are named at once."""
    if len(paths) < 2:
        raise UserError(f"{len(paths)} run was given; name two or more, such as runs/cells/1 runs/cells/2")
    mistakes, runs = Mistakes(), []
    places = [path.resolve() for path in paths]
    for path in dict.fromkeys(path for path in paths if places.count(path.resolve()) > 1):
        mistakes.add(f"{path}: this run is named twice; name each once")
    for path in paths:
        with mistakes.noted():
            run = ScoredRun(path, rundirectory.with_results(path))
            if not run.metrics:
                raise UserError(f"{path}: it has no scores yet; finish it by kerasseg run RECIPE --resume")
            runs.append(run)
    mistakes.check()
    return runs


def _common_images(runs: Sequence[ScoredRun]) -> list[str]:
    """Name the images that all runs were tested on, and say where that is not all of them."""
    names = [
        name
        for name in runs[0].test_images
        if all(name in run.test_images for run in runs)
        and _is_one_image([run.test_images[name] for run in runs])
    ]
    counts = [len(run.test_images) for run in runs]
    if not names:
        raise UserError(
            f"{runs[0].path}: no image of its test is in the tests of all other runs, so they cannot be "
            "compared; train them with the same data, data.split and seed"
        )
    if len(names) < max(counts):
        tested = ", ".join(f"{count} by {run.path}" for count, run in zip(counts, runs, strict=True))
        say(f"compared on the {len(names)} images that all were tested on ({tested})", style="yellow")
    return names


def _is_one_image(paths: Sequence[Path]) -> bool:
    """Tell whether files of one name are one image: by where they lie, or by their bytes."""
    if len({path.resolve() for path in paths}) == 1:
        return True
    if not all(path.is_file() for path in paths):
        return False
    return len(set(map(sha256, paths))) == 1


def _different_settings(runs: Sequence[ScoredRun]) -> dict[str, list[Any]]:
    """Give the recipes' values where they differ, by key."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = {key: [run.settings.get(key) for run in runs] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def _costs(runs: Sequence[ScoredRun]) -> dict[str, list[float | None]]:
    """Give what the models weigh, and what they took on the machines that ran them."""
    return {
        "parameters": [run.folder.read_json(SUMMARY).get("parameters") for run in runs],
        "seconds to train": [run.metrics.get("times", {}).get("training_s") for run in runs],
        "seconds to predict an image": [run.metrics["seconds_per_image"] for run in runs],
    }


def _scores(runs: Sequence[ScoredRun], images: Sequence[str]) -> Iterator[Score]:
    """Compare each measure of each class that all runs have, image by image."""
    for name, measures in runs[0].scores.items():
        for measure, title in MEASURES.items():
            if not measures.get(measure) or not all(run.scores.get(name, {}).get(measure) for run in runs):
                continue
            by_run = [run.scores[name][measure] for run in runs]
            values = np.array([[scores.get(image) for image in images] for scores in by_run], float)
            compared = [difference(each, values[0]) for each in values[1:]]
            yield Score(f"{name}: {title}", values, [None, *compared])


def _pictures(runs: Sequence[ScoredRun], images: Sequence[str], score: Score) -> list[Picture]:
    """Draw what each run made of the best image, the worst, and those on which the runs differ most."""
    try:
        recipe = load(runs[0].folder / RECIPE)
        samples = {sample.name: sample for sample in preparation.parts(recipe).test}
    except UserError as error:
        say(f"the page has no pictures: {error}", style="yellow")
        return []
    exclusive = [not read_spec(run.path).multilabel for run in runs]
    drawn = []
    for index, why in _worth_looking_at(score.values).items():
        sample = samples[images[index]]
        image, truth = sample.read(), sample.annotate().mask
        stems = [run.folder / PREDICTIONS / file_name(sample.name) for run in runs]
        overlays = [
            pictures.overlay(image, truth, mask_files.read(stem, exclusive=one), sample.spacing)
            for stem, one in zip(stems, exclusive, strict=True)
        ]
        drawn.append(Picture(sample.name, why, score.values[:, index].tolist(), overlays))
    return drawn


def _worth_looking_at(values: np.ndarray) -> dict[int, str]:
    """Choose images by the scores of all runs, (R, N), and say why; none where none has a score by all."""
    known = np.flatnonzero(~np.isnan(values).any(axis=0))
    by_mean = known[np.argsort(-values[:, known].mean(axis=0))]
    by_spread = known[np.argsort(-np.ptp(values[:, known], axis=0))]
    chosen = {int(index): "where the runs differ most" for index in by_spread[:MOST_DIFFERENT]}
    return {
        **{int(index): "the best" for index in by_mean[:1]},
        **{int(index): "the worst" for index in by_mean[-1:]},
        **chosen,
    }
