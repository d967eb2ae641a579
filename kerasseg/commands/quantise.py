"""The verb `quantise`: a run's network in int8, kept where it is about as good, and its scores."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.commands import preparation
from kerasseg.commands.evaluate import recipe_of
from kerasseg.commands.evaluation import evaluate, with_channels
from kerasseg.console import say, track
from kerasseg.data.sample import Sample
from kerasseg.errors import UserError
from kerasseg.inference import int8, openvino
from kerasseg.inference.backends import INT8, TENSORFLOW, Backend
from kerasseg.inference.forward import Forward, forward
from kerasseg.recipe import Recipe
from kerasseg.report import page
from kerasseg.report.page import is_score
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.segmenter import Segmenter, load_trained
from kerasseg.spec import ModelSpec

FULL = "full"
PIXELS = 1 << 24  # of tiles by which ranges are found: 64 tiles of 512 x 512
MOST_LOST = 0.01  # of a class' Dice: a quarter of the time is not worth more

Scores = Mapping[str, Mapping[str, float]]
"""From a class to its ``dice`` and ``pq``, as far as test images hold some of it and objects are scored."""


def quantise(path: Path, data: Path | None = None) -> None:
    """Make a run's network in int8 by its training images, score it on its test images, and keep it.

    Parameters
    ----------
    path : Path
        The run's folder, or a shipped model, which gets ``int8/``, and ``openvino/`` where that is missing.
    data : Path, optional
        Annotated images that take the place of the run's own, laid out as those; they are split as the
        recipe says. A shipped model has none of its own.

    Raises
    ------
    UserError
        If there is no trained run, its images are gone, a package is missing, or the network in int8 is worse
        by more than `MOST_LOST`.
    """
    run = rundirectory.existing(path)
    named = run.path.name if run.is_shipped else str(run.path)
    if run.is_shipped and data is None:
        raise UserError(
            f"{named}: a shipped model brings no images; give annotated ones by --data FOLDER, laid out as "
            "those of its recipe: by some the ranges of int8 are found, by others what it costs"
        )
    int8.imported()  # where it is missing, that is said before anything is done
    (spec, model), recipe, home = load_trained(path), recipe_of(run, data), run.results
    parts = preparation.parts(recipe)
    with RunDirectory(home).held():
        answers = {FULL: openvino.opened(home, spec, lambda: model)}
        tiles = calibration_tiles(parts.train, Segmenter(spec, Backend(answers[FULL])))
        say(f"finding the ranges of int8 by {len(tiles)} tiles of training images")
        network = int8.quantised(home / rundirectory.OPENVINO / openvino.NETWORK, tiles)
        answers[INT8] = openvino.compiled(network)
        scores = {name: scored(answer, spec, recipe, parts.test) for name, answer in answers.items()}
        check(scores, named)
        seconds = openvino.seconds_for_a_tile({TENSORFLOW: forward(model), **answers}, spec)
        images = {"data": data and str(data), "tiles": len(tiles), "test_images": len(parts.test)}
        facts = {**images, "threshold": spec.threshold, "scores": scores, "seconds": seconds}
        int8.keep(network, home, spec.weights, facts)
    for line in summary(facts):
        say(line)
    say(f"kept {home / int8.FOLDER}: kerasseg predict {named} IMAGES --engine int8")
    if (home / rundirectory.REPORT).exists():
        page.write(home)


def calibration_tiles(samples: Sequence[Sample], segmenter: Segmenter) -> list[np.ndarray]:
    """Cut tiles of some `PIXELS` in all out of images, evenly, as the network is shown them.

    Returns
    -------
    list of numpy.ndarray
        (1, ..., C) float32.
    """
    sides = np.broadcast_to(segmenter.spec.tiling.tile, segmenter.spec.rank)
    most = max(1, PIXELS // math.prod(sides.tolist()))
    chosen, tiles = samples[:: math.ceil(len(samples) / most)], []
    for sample in track(chosen, "cutting training images into tiles"):
        image, view = sample.read(sample.middle()), partial(with_channels, sample)
        tiles += segmenter.tiles(image, str(sample.image), max(1, most // len(chosen)), view=view)
    return tiles


def scored(answer: Forward, spec: ModelSpec, recipe: Recipe, samples: Sequence[Sample]) -> Scores:
    """Score what computes the answers on images that the network never saw."""
    with tempfile.TemporaryDirectory() as folder:
        segmenter, of_objects = Segmenter(spec, Backend(answer)), recipe.instances is not None
        found = evaluate(samples, segmenter, folder=Path(folder), score_objects=of_objects)
    objects = found.instances["classes"] if found.instances else {}
    scores = {
        name: {"dice": of["dice"], "pq": objects.get(name, {}).get("pq")}
        for name, of in found.test["classes"].items()
    }
    return {name: {score: of[score] for score in of if is_score(of[score])} for name, of in scores.items()}


def check(scores: Mapping[str, Scores], run: str) -> None:
    """Refuse a network in int8 of which a class' Dice is below that in full by more than `MOST_LOST`."""
    full = {name: of["dice"] for name, of in scores[FULL].items() if "dice" in of}
    if not full:
        raise UserError(
            f"{run}: no test image has a true pixel of a class, so nothing says what int8 costs; annotate one"
        )
    found = {name: scores[INT8][name]["dice"] for name in full}
    worse = [
        f"{run}: in int8 the Dice of {name} is {found[name]:.4f} instead of {full[name]:.4f}, and at most "
        f"{MOST_LOST:g} is given away for its speed. It is not kept; predict by --engine openvino"
        for name in full
        if not found[name] >= full[name] - MOST_LOST
    ]
    if worse:
        raise UserError(*worse)


def summary(facts: Mapping[str, Any]) -> list[str]:
    """Say how good the network is in full and in int8, class by class, and how long each takes for a tile."""
    full, quantised = facts["scores"][FULL], facts["scores"][INT8]
    titles = {"dice": "Dice", "pq": "PQ"}
    lines = [
        f"{name}: "
        + "; ".join(
            f"{titles[score]} {value:.4f} in full, {quantised[name][score]:.4f} in int8"
            for score, value in of.items()
        )
        for name, of in full.items()
        if of
    ]
    takes = {name: f"{1e3 * seconds:.0f} ms" for name, seconds in facts["seconds"].items()}
    return [
        *lines,
        f"a tile takes OpenVINO {takes[FULL]} of the processor in full, {takes[INT8]} in int8; TensorFlow "
        f"{takes[TENSORFLOW]}",
    ]
