"""The verb `evaluate`: how good a run's model is, on its test images or on others, and how good masks are."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kerasseg.commands import build, preparation
from kerasseg.commands.evaluation import Evaluation
from kerasseg.commands.evaluation import evaluate as evaluate_samples
from kerasseg.console import say
from kerasseg.data.sample import Sample
from kerasseg.files import folder_atomically
from kerasseg.inference.backends import TENSORFLOW  # by which the run was scored
from kerasseg.recipe import Recipe, amended, load
from kerasseg.recipe.recipe import Evaluate
from kerasseg.report.page import is_score
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import EVALUATIONS, METRICS, RunDirectory
from kerasseg.segmenter import Segmenter


def evaluate(path: Path, *, threshold: float | None = None) -> None:
    """Score a run's model on its test images again, and keep the scores in its ``metrics.json``.

    Parameters
    ----------
    path : Path
        The run's folder.
    threshold : float, optional
        Instead of the recipe's.

    Raises
    ------
    UserError
        If there is no trained run of one's own, its data are gone, or another process writes into it.
    """
    folder = rundirectory.with_results(path)
    segmenter = _by_threshold(Segmenter.load(path, engine=TENSORFLOW), threshold)
    recipe = recipe_of(folder)
    with folder.held():
        evaluation = score(recipe, segmenter, preparation.parts(recipe).test, folder.path)
        folder.write_json(METRICS, {**folder.read_json(METRICS), **asdict(evaluation)})


def evaluate_on(path: Path, data: Path, *, out: Path | None = None, threshold: float | None = None) -> Path:
    """Score a run's model on other annotated images, laid out as those that it learnt from.

    Parameters
    ----------
    path : Path
        The run's folder.
    data : Path
        Takes the place of the root of the recipe's source; every image is scored.
    out : Path, optional
        Gets ``metrics.json`` and ``predictions/``; by default ``evaluations/NAME`` in the run's folder
        (of a shipped model in ``runs/MODEL``), by the name of `data`.
    threshold : float, optional
        Instead of the recipe's.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UserError
        If there is no trained run, or the data cannot be read.
    """
    segmenter = _by_threshold(Segmenter.load(path, engine=TENSORFLOW), threshold)
    folder = rundirectory.existing(path)
    recipe = recipe_of(folder, data)
    samples = preparation.samples(recipe)
    if learnt := known_images(folder / rundirectory.SPLIT, samples):
        say(
            f"{len(learnt)} of these {len(samples)} images were learnt from or watched in training, such as "
            f"{learnt[0]}: scores are too good",
            style="bold yellow",
        )
    out = out or folder.results / EVALUATIONS / data.resolve().name
    with folder_atomically(out) as unfinished:
        evaluation = score(recipe, segmenter, samples, unfinished)
        RunDirectory(unfinished).write_json(METRICS, {"data": str(data), **asdict(evaluation)})
    say(f"wrote {out}")
    return out


def recipe_of(run: RunDirectory, data: Path | None = None) -> Recipe:
    """Load a run's recipe; with other images, laid out as its own, in the place of these."""
    if data is None:
        return load(run / rundirectory.RECIPE)
    recipe = load(run / rundirectory.RECIPE, ["data.if_missing=error"])
    source = recipe.data.source.model_copy(update={"root": data})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"source": source})})


def known_images(table: Path, samples: Sequence[Sample]) -> list[str]:
    """Name the samples whose files a run has learnt from or watched, by what `write_split` wrote of it.

    A shipped model has no such table.
    """
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        known = {Path(row["image"]).resolve() for row in csv.DictReader(file) if row["part"] != "test"}
    return [sample.name for sample in samples if Path(str(sample.image)).resolve() in known]


def _by_threshold(segmenter: Segmenter, threshold: float | None) -> Segmenter:
    """Let a model decide by another threshold, if one is given."""
    threshold = amended(Evaluate(threshold=segmenter.spec.threshold), threshold=threshold).threshold
    return replace(segmenter, spec=replace(segmenter.spec, threshold=threshold))


def score(recipe: Recipe, segmenter: Segmenter, samples: Sequence[Sample], folder: Path) -> Evaluation:
    """Score a model on samples that it never saw, and say how it did."""
    evaluation = evaluate_samples(
        samples,
        segmenter,
        folder=folder,
        score_objects=recipe.instances is not None,
        pairing=build.pairing(recipe),
        kernel=recipe.key_points and recipe.key_points.kernel.build(),
    )
    if seams := evaluation.seams:
        say(
            f"seams: tiles differ from the whole by {seams['mean']:.2g} on average, "
            f"{seams['largest']:.2g} at most"
        )
    for name, scores in evaluation.test["classes"].items():
        if not is_score(scores["dice"]):
            say(f"{name}: no score, as no test image has a true pixel of it", style="bold yellow")
            continue
        low, high = scores["dice_interval"]
        say(
            f"{name}: Dice {scores['dice']:.4f} (95 % interval {low:.4f} to {high:.4f}), IoU "
            f"{scores['iou']:.4f}, pooled over {len(samples)} test images at size {evaluation.size}"
        )
    if evaluation.instances:
        _say_objects(evaluation.instances["classes"])
    if evaluation.rebuilt:
        rows = evaluation.rebuilt["averages"]
        say(
            "rebuilt from {points:.1f} points an image ({share:.2%}): global SSIM {ssim_global:.4f}, RMSE "
            "{rmse:.4f}; one bit a pixel: ".format(**rows["model"])
            + "{ssim_global:.4f}, {rmse:.4f}".format(**rows["bitmap"])
        )
    if evaluation.pairs:
        say(f"pairs: {evaluation.pairs['found']} found for {evaluation.pairs['true']} true ones")
    return evaluation


def _say_objects(classes: dict[str, dict[str, Any]]) -> None:
    """Say how many objects of each class were found, and how well."""
    for name, scores in classes.items():
        counts = f"{name}: {scores['predicted_objects']} objects for {scores['true_objects']} true ones"
        if not scores["true_objects"]:
            say(counts)
            continue
        say(
            f"{counts}; AP (COCO) {scores['average_precision_coco']:.4f}, "
            f"AP (DSB 2018) {scores['average_precision_dsb2018']:.4f}, PQ {scores['pq']:.4f}, "
            f"AJI {scores['aji']:.4f}, {scores['splits']} split, {scores['merges']} merged"
        )
