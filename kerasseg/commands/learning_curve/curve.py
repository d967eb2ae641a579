"""A learning curve from its plan to its page: every model is trained, judged, and written down."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from kerasseg import locks
from kerasseg.commands.learning_curve.facts import gather, settle
from kerasseg.commands.learning_curve.learner import Learner, check_comparable
from kerasseg.commands.learning_curve.plan import Plan, draw
from kerasseg.commands.learning_curve.points import Points
from kerasseg.commands.learning_curve.series import Series, compute
from kerasseg.commands.learning_curve.truth import true_samples
from kerasseg.console import say
from kerasseg.data.collect import channels
from kerasseg.data.sample import Sample
from kerasseg.data.sources import SOURCES
from kerasseg.errors import UserError
from kerasseg.labelling.embedding.embed import read_codes
from kerasseg.labelling.tiles import read_tiles
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import LARGEST_SEED
from kerasseg.report import learning_curve
from kerasseg.training import devices


def curve(recipe: Recipe, plan: Plan, *, root: Path, truth: Path | None = None, directory: Path) -> Path:
    """Compute a learning curve, or go on with it, and draw it.

    Parameters
    ----------
    recipe : Recipe
        Of the model and its training, which is as long for five tiles as for two hundred.
    plan : Plan
        Which points.
    root : Path
        The labelling folder, its tiles clustered.
    truth : Path, optional
        A slide of labels that answers what is in a tile; by default those tiles are there that persons
        labelled in the queue, and their masks are the truth.
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
    candidates, test = _parts(_samples(recipe, root, truth), plan, recipe.seed)
    facts = gather(recipe, plan, root, truth, candidates=len(candidates), tested=len(test))
    with locks.held(directory / ".lock", directory):
        settle(directory / "curve.json", facts)
        points = Points(directory / "curve.csv")
        _compute(recipe, plan, points, root, candidates, test)
        return learning_curve.write(directory, [asdict(point) for point in points.known], facts)


def _compute(
    recipe: Recipe, plan: Plan, points: Points, root: Path, candidates: dict[str, Sample], test: list[Sample]
) -> None:
    """Compute the points that are not known yet, one model for each seed."""
    setting = devices.configure(recipe.train.precision, recipe.train.devices)
    say(f"computing on {setting}")
    codes = _codes(root) if "different" in plan.policies else None
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(plan.seeds):
            policies = [policy for policy in plan.policies if any(plan.left(policy, seed, points.known))]
            if not policies:
                continue
            seeded = recipe.model_copy(update={"seed": (recipe.seed + seed) % (LARGEST_SEED + 1)})
            with setting.scope():
                learner = Learner(seeded, recipe.data.channels or channels(test), Path(folder))
            for policy in policies:
                names = draw(plan.numbers, policy, candidates, codes, seed)
                series = Series(policy, seed, learner, [candidates[name] for name in names], test)
                compute(series, plan, points)


def _samples(recipe: Recipe, root: Path, truth: Path | None) -> list[Sample]:
    """List the tiles whose annotation is known; each is read or cut once."""
    classes = recipe.data.classes
    samples = true_samples(root, truth, classes) if truth else SOURCES["queue"](root=root, classes=classes)
    return [replace(sample, annotate=cache(sample.annotate)) for sample in samples]


def _parts(samples: Sequence[Sample], plan: Plan, seed: int) -> tuple[dict[str, Sample], list[Sample]]:
    """Tell what may be learnt from, and what is tested on."""
    of = {part: [each for each in samples if each.attributes["part"] == part] for part in ("train", "test")}
    needed, candidates, test = plan.numbers[-1], {each.name: each for each in of["train"]}, of["test"]
    mistakes = []
    if needed > len(candidates):
        mistakes.append(
            f"{needed} tiles are to be drawn, and {len(candidates)} of part train have a known annotation: "
            "ask for fewer tiles, reviewed tiles or rounds, or label more"
        )
    if not test:
        mistakes.append(
            "no tile of part test has a known annotation: crop with a test region, and label there"
        )
    if mistakes:
        raise UserError(*mistakes)
    drawn = np.random.default_rng(seed).permutation(len(test))[: plan.tested]
    return candidates, [test[at] for at in sorted(drawn)]


def _codes(root: Path) -> dict[str, np.ndarray]:
    tiles = read_tiles(root)
    return dict(zip((tile.name for tile in tiles), read_codes(root, tiles), strict=True))
