"""Models that learn from more and more of the same tiles: one policy with one seed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from kerasseg.commands.learning_curve.learner import Learner
from kerasseg.commands.learning_curve.plan import Plan
from kerasseg.commands.learning_curve.points import Point, Points
from kerasseg.commands.learning_curve.reviewer import review
from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.metrics import pixel

PROPOSER = "model"


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


def compute(series: Series, plan: Plan, points: Points) -> None:
    """Add those points of a series that are not known; proposals of one round need those before."""
    tiles, rounds = plan.left(series.policy, series.seed, points.known)
    for point in series.labelled(tiles):
        points.add(point)
    for point in series.proposed(plan) if rounds else ():
        if point.round in rounds:
            points.add(point)
