"""A learning curve from its plan to its page: every model is trained, scored, and written down."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import locks
from kerasseg.commands.learning_curve.learner import Learner, check_comparable
from kerasseg.commands.learning_curve.points import Plan, Points, draw
from kerasseg.commands.learning_curve.simulation import Series, true_samples
from kerasseg.console import say
from kerasseg.data.collect import channels, collect
from kerasseg.data.sample import Sample
from kerasseg.errors import UserError, changes
from kerasseg.files import write_atomically
from kerasseg.labelling.embedding import read_embeddings
from kerasseg.labelling.folder import read_tiles
from kerasseg.labelling.slide import read_slide
from kerasseg.labelling.source import labelled_tiles
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import LARGEST_SEED
from kerasseg.report import learning_curve
from kerasseg.synthetic.origin import is_synthetic
from kerasseg.training import devices


def compute_curve(
    recipe: Recipe, plan: Plan, *, root: Path, truth: Path | None = None, directory: Path
) -> Path:
    """Compute a learning curve, or resume it, and draw it.

    Parameters
    ----------
    recipe : Recipe
        The model and its training, which takes as long for five tiles as for two hundred.
    plan : Plan
        Which points.
    root : Path
        The labelling folder, its tiles clustered.
    truth : Path, optional
        An image of labels that says what is in a tile; without it the tiles that persons labelled in the
        queue are used, and their masks are the truth.
    directory : Path
        Gets ``curve.json``, ``curve.csv``, ``curve.svg`` and ``curve.html``.

    Returns
    -------
    Path
        The page, ``curve.html``.

    Raises
    ------
    UserError
        If there are too few tiles, the recipe makes trainings of different lengths, or the directory holds
        another curve or process.
    """
    check_comparable(recipe)
    data = recipe.data
    if truth:
        samples = true_samples(root, truth, data.classes)
    else:
        others = {"ignored": data.ignore, "background": data.background}
        source = partial(labelled_tiles, root)
        samples = collect(source, root, data.classes, **others, multilabel=data.multilabel)
    samples = [replace(sample, annotate=cache(sample.annotate)) for sample in samples]
    candidates, test = _parts(samples, plan, recipe.seed)
    slide = Path(read_slide(root)["slide"]["path"])
    settings = {
        "root": str(root),
        "truth": str(truth) if truth else None,
        "synthetic": any(is_synthetic(file.parent) for file in (slide, truth) if file),
        "plan": asdict(plan) | {"candidates": len(candidates), "tested": len(test)},
        "recipe": recipe.dump(),
    }
    with locks.held(directory / ".lock", directory):
        _keep_settings(directory / "curve.json", settings)
        points = Points(directory / "curve.csv")
        _compute(recipe, plan, points, root, candidates, test)
        return learning_curve.write(directory, [asdict(point) for point in points.known], settings)


def _compute(
    recipe: Recipe, plan: Plan, points: Points, root: Path, candidates: dict[str, Sample], test: list[Sample]
) -> None:
    """Compute the points that are not known yet, one model for each seed."""
    setting = devices.configure(recipe.train.precision, recipe.train.devices)
    say(f"computing on {setting}")
    embeddings = None
    if "farthest_point" in plan.policies:
        tiles = read_tiles(root)
        embeddings = dict(zip((tile.name for tile in tiles), read_embeddings(root, tiles), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(plan.seeds):
            policies = [policy for policy in plan.policies if any(plan.left(policy, seed, points.known))]
            if not policies:
                continue
            seeded = recipe.model_copy(update={"seed": (recipe.seed + seed) % (LARGEST_SEED + 1)})
            with setting.scope():
                learner = Learner(seeded, recipe.data.channels or channels(test), Path(folder))
            for policy in policies:
                names = draw(plan.numbers, policy, candidates, embeddings, seed)
                series = Series(policy, seed, learner, [candidates[name] for name in names], test)
                series.compute(plan, points)


def _parts(samples: Sequence[Sample], plan: Plan, seed: int) -> tuple[dict[str, Sample], list[Sample]]:
    """Tell what may be learnt from, and what is tested on."""
    candidates = {sample.name: sample for sample in samples if sample.attributes["part"] == "train"}
    test = [sample for sample in samples if sample.attributes["part"] == "test"]
    mistakes = []
    if plan.numbers[-1] > len(candidates):
        mistakes.append(
            f"{plan.numbers[-1]} tiles are to be drawn, and {len(candidates)} of part train have a known "
            "annotation: ask for fewer tiles, reviewed tiles or rounds, or label more"
        )
    if not test:
        mistakes.append(
            "no tile of part test has a known annotation: crop with a test region, and label there"
        )
    if mistakes:
        raise UserError(*mistakes)
    drawn = np.random.default_rng(seed).permutation(len(test))[: plan.tested]
    return candidates, [test[place] for place in sorted(drawn)]


def _keep_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write down what a curve is of, or refuse to resume another; more seeds and policies are fine."""
    settings = json.loads(json.dumps(settings))
    then = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings
    free = {name: then["plan"][name] for name in ("seeds", "policies")}
    if changed := changes(then, settings | {"plan": settings["plan"] | free}):
        raise UserError(
            f"{path.parent}: this holds a curve that was computed with different settings; set these back, "
            "or choose another directory",
            *(f"  {line}" for line in changed),
        )
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
