"""Which points a learning curve has, and which tiles they are learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasseg.commands.learning_curve.points import Point
from kerasseg.commands.learning_curve.reviewer import LEAST_IOU
from kerasseg.data.sample import Sample
from kerasseg.labelling.select import select


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
