"""The learning curve of the labelling loop: how good a model is that learnt from so many labelled tiles.

Every model is of one size, trained from scratch for the same number of steps, and judged on the same test
tiles. What differs is how many tiles it learnt from, by which policy they were drawn, and who labelled them:

- **labelled**: the truth, or a person, drew every mask;
- **proposed**: a model that learnt from the first tiles proposes masks for further ones, a simulated reviewer
  accepts some and fixes nothing, and a new model learns from these and the first; in the next round that one
  proposes masks for what was rejected and for further tiles.

A point is on the disk as soon as it is known, so a curve that was killed goes on where it was.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.console import say, track
from kerasseg.data.collect import channels
from kerasseg.data.origin import is_synthetic
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources import SOURCES
from kerasseg.errors import UserError, changes
from kerasseg.images.files import write_atomically
from kerasseg.labelling.embedding.embed import read_codes
from kerasseg.labelling.points import Point, Points
from kerasseg.labelling.reviewer import LEAST_IOU, review
from kerasseg.labelling.select import select
from kerasseg.labelling.slide import read_slide
from kerasseg.labelling.tiles import read_tiles
from kerasseg.labelling.truth import true_samples
from kerasseg.metrics import pixel
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import LARGEST_SEED
from kerasseg.report import learning_curve
from kerasseg.retraining import Learner, check_comparable
from kerasseg.training import devices

PROPOSER = "model"


@dataclass(frozen=True)
class Plan:
    """Which points a curve has.

    Parameters
    ----------
    tiles : tuple of int
        How many labelled tiles to learn from; more hold the fewer, and 0 is a model that learnt nothing. By
        default as in the C-fos paper's Table II.
    policies : tuple of str
        How tiles are drawn: names in `kerasseg.labelling.select.POLICIES`.
    seeds : int
        How often, each time with other tiles and other first weights.
    start : int
        Labelled tiles that the first proposals come from.
    reviewed : int
        Further tiles that masks are proposed for in each round.
    rounds : int
        Of proposals; 0 is none.
    least_iou : float
        From which foreground IoU on the simulated reviewer accepts a proposal.
    tested : int
        Most test tiles; of more, so many are drawn by the recipe's seed, once for all models.
    """

    tiles: tuple[int, ...] = (0, 5, 30, 80, 150, 250)
    policies: tuple[str, ...] = ("random", "balanced")
    seeds: int = 3
    start: int = 30
    reviewed: int = 120
    rounds: int = 2
    least_iou: float = LEAST_IOU
    tested: int = 300

    @property
    def numbers(self) -> list[int]:
        """How many tiles are drawn, step by step."""
        proposed = [self.start + number * self.reviewed for number in range(self.rounds + 1)]
        return sorted({*self.tiles, *(proposed if self.rounds else ())})

    def left(self, policy: str, seed: int, known: Sequence[Point]) -> tuple[list[int], list[int]]:
        """Give the numbers of labelled tiles and the rounds of proposals that are not among known points."""
        of = [point for point in known if (point.policy, point.seed) == (policy, seed)]
        tiles = {point.tiles for point in of if not point.proposals}
        rounds = {point.round for point in of}
        return (
            [number for number in self.tiles if number not in tiles],
            [number for number in range(1, self.rounds + 1) if number not in rounds],
        )


def curve(
    recipe: Recipe, plan: Plan = Plan(), *, root: Path, truth: Path | None = None, directory: Path
) -> Path:
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
        another curve.
    """
    check_comparable(recipe)
    candidates, test = _parts(_samples(recipe, root, truth), plan, recipe.seed)
    facts = _facts(recipe, plan, root, truth, candidates=len(candidates), tested=len(test))
    _settle(directory / "curve.json", facts)
    points = Points(directory / "curve.csv")
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
                _compute(series, plan, points)
    return learning_curve.write(directory, points.known, facts)


def draw(
    numbers: Sequence[int],
    policy: str,
    candidates: Mapping[str, Sample],
    codes: Mapping[str, np.ndarray] | None,
    seed: int,
) -> list[str]:
    """Draw tiles in steps, so that the first 30 are a draw of 30, and hold the first 5, which are one of 5.

    Parameters
    ----------
    numbers : sequence of int
        How many there are after each step, rising.
    policy, codes, seed
        See `kerasseg.labelling.select.select`.
    candidates : mapping of str to Sample
        Tiles by their names, with the attribute ``cluster``.

    Returns
    -------
    list of str
        Names.
    """
    cluster = {name: int(sample.attributes["cluster"]) for name, sample in candidates.items()}
    how = {"policy": policy, "candidates": list(candidates), "cluster": cluster, "codes": codes, "seed": seed}
    names: list[str] = []
    for number in numbers:
        names += [each.name for each in select(number - len(names), **how, taken=names)]
    return names


@dataclass(frozen=True)
class Series:
    """One policy with one seed: what its points have in common.

    Parameters
    ----------
    policy : str
    seed : int
    learner : Learner
        Of that seed.
    drawn : list of Sample
        By the policy, in its order.
    test : list of Sample
        Of all series.
    """

    policy: str
    seed: int
    learner: Learner
    drawn: list[Sample]
    test: list[Sample]

    def labelled(self, tiles: Sequence[int]) -> Iterator[Point]:
        """Learn from the first tiles and their true masks, for each number of tiles."""
        for number in tiles:
            yield self._learnt(self.drawn[:number])

    def proposed(self, plan: Plan) -> Iterator[Point]:
        """Learn from the first tiles and accepted proposals, round by round."""
        samples = {sample.name: sample for sample in self.drawn}
        labelled, rejected, empty = {sample.name: sample for sample in self.drawn[: plan.start]}, [], 0
        self.learner.learn(list(labelled.values()))
        for number in range(plan.rounds):
            at = plan.start + number * plan.reviewed
            asked = [*rejected, *(sample.name for sample in self.drawn[at : at + plan.reviewed])]
            masks = {name: self.learner.predict(samples[name]) for name in track(asked, "proposing")}
            true = {name: samples[name].annotate().mask for name in asked}
            accepted, rejected = review(masks, true, plan.least_iou)
            labelled |= {
                name: replace(samples[name], annotate=partial(Annotation, masks[name])) for name in accepted
            }
            empty += sum(not masks[name].any() for name in accepted)
            counts = {"accepted": len(labelled) - plan.start, "empty": empty, "rejected": len(rejected)}
            yield self._learnt(list(labelled.values()), proposals=PROPOSER, round=number + 1, **counts)

    def _learnt(self, samples: Sequence[Sample], proposals: str = "", round: int = 0, **counts: int) -> Point:
        started = time.monotonic()
        self.learner.learn(samples)
        seconds = time.monotonic() - started
        found = self.learner.count(self.test)
        return Point(
            self.policy,
            proposals,
            len(samples),
            round,
            self.seed,
            *(float(score(found)[0]) for score in (pixel.iou, pixel.mean_iou_two_class, pixel.dice)),
            seconds,
            **counts,
        )


def _compute(series: Series, plan: Plan, points: Points) -> None:
    """Add those points of a series that are not known; proposals of one round need those before."""
    tiles, rounds = plan.left(series.policy, series.seed, points.known)
    for point in series.labelled(tiles):
        points.add(point)
    for point in series.proposed(plan) if rounds else ():
        if point.round in rounds:
            points.add(point)


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


def _facts(recipe: Recipe, plan: Plan, root: Path, truth: Path | None, **counts: int) -> dict[str, Any]:
    """Gather what a curve's points depend on, and what its page says."""
    slide = Path(read_slide(root)["slide"]["path"])
    folders = [file.parent for file in (slide, truth) if file]
    return {
        "root": str(root),
        "truth": str(truth) if truth else None,
        "synthetic": any(map(is_synthetic, folders)),
        "plan": asdict(plan) | counts,
        "recipe": recipe.dump(),
    }


def _settle(path: Path, facts: dict[str, Any]) -> None:
    """Write down what a curve is of, or refuse to go on with another; more seeds and policies are fine."""
    facts = json.loads(json.dumps(facts))
    then = json.loads(path.read_text(encoding="utf-8")) if path.exists() else facts
    more = {"plan": {**facts["plan"], "seeds": then["plan"]["seeds"], "policies": then["plan"]["policies"]}}
    if changed := changes(then, facts | more):
        raise UserError(
            f"{path.parent}: this holds another curve, which cannot go on as this one; set these back, or "
            "choose another directory",
            *(f"  {line}" for line in changed),
        )
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
