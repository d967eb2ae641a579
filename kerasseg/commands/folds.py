"""The verb `run` of a recipe with folds: each part of the data is the test once, of a network of its own."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.commands.compare import MEASURES, ScoredRun
from kerasseg.commands.train import is_begun, trained
from kerasseg.commands.train import run as train
from kerasseg.console import say
from kerasseg.files import write_atomically
from kerasseg.metrics.bootstrap import draws, interval, mean
from kerasseg.recipe import Recipe
from kerasseg.report.template import number
from kerasseg.runs.rundirectory import RunDirectory

TABLE, SUMMARY = "folds.csv", "folds.json"
RESAMPLES = 2000


def run(recipe: Recipe, *, directory: Path = Path("runs"), resume: bool = False) -> Path:
    """Train a run for each fold that has none yet, and score all images together.

    Parameters
    ----------
    recipe : Recipe
        With ``data.split.folds``.
    directory : Path
        The runs are ``<directory>/<name>/fold1/<n>`` and so on.
    resume : bool
        Whether to go on with runs that were killed or interrupted, instead of beginning them anew.

    Returns
    -------
    Path
        ``<directory>/<name>``, which gets ``folds.csv``, a line for each image, and ``folds.json``.

    Raises
    ------
    UserError
        If a run cannot be trained.
    """
    folder = directory / recipe.name
    runs = []
    for fold in range(1, recipe.data.split.folds + 1):
        part = _of_fold(recipe, fold)
        say(f"fold {fold} of {recipe.data.split.folds}")
        done = trained(part, folder)
        runs.append(done or train(part, directory=folder, resume=resume and is_begun(part, folder)))
    summary = _summed_up(runs, folder)
    for name, measures in summary.items():
        low, high = measures["dice_interval"]
        say(
            f"{name}: Dice {measures['dice']:.4f} (95 % interval {low:.4f} to {high:.4f}), mean over "
            f"{measures['images']} images, each by the network that never saw it; by fold "
            + ", ".join(number(each, 4) for each in measures["dice_by_fold"])
        )
    say(f"wrote {folder / TABLE} and {folder / SUMMARY}")
    return folder


def _of_fold(recipe: Recipe, fold: int) -> Recipe:
    """Make the recipe of one fold's run."""
    part = recipe.data.split.model_copy(update={"fold": fold})
    data = recipe.data.model_copy(update={"split": part})
    return recipe.model_copy(update={"name": f"fold{fold}", "data": data})


def _summed_up(runs: list[RunDirectory], folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Write the scores of all images, and their means by class with intervals over images."""
    by_fold = [ScoredRun(run.path, run).scores for run in runs]
    classes = dict.fromkeys(name for scores in by_fold for name in scores)
    summary: dict[str, dict[str, Any]] = {name: {} for name in classes}
    with write_atomically(folder / TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "fold", "class", *MEASURES))
        for name in classes:
            for fold, scores in enumerate(by_fold, start=1):
                images = scores.get(name, {}).get("dice", {})
                table.writerows(
                    (image, fold, name, *(scores[name].get(measure, {}).get(image) for measure in MEASURES))
                    for image in images
                )
            for measure in MEASURES:
                values = [[*scores.get(name, {}).get(measure, {}).values()] for scores in by_fold]
                if any(values):
                    summary[name] |= _mean(measure, [np.array(each, float) for each in values])
    RunDirectory(folder).write_json(SUMMARY, summary)
    return summary


def _mean(measure: str, by_fold: list[np.ndarray]) -> dict[str, Any]:
    """Average a measure over the images of all folds, with the 95 % interval over images."""
    values = np.concatenate(by_fold)
    values = values[~np.isnan(values)]
    resampled = draws(len(values), RESAMPLES, seed=0) @ values / len(values)
    return {
        "images": len(values),
        measure: float(values.mean()),
        f"{measure}_interval": interval(resampled).tolist(),
        f"{measure}_by_fold": [float(mean(each, axis=0)) for each in by_fold],
    }
