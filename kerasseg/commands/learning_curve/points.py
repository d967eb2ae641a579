"""Which points a learning curve has, which tiles they are learnt from, and the CSV file that keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.console import say
from kerasseg.data.sample import Sample
from kerasseg.files import write_atomically
from kerasseg.labelling import tables
from kerasseg.labelling.selection import select


@dataclass(frozen=True)
class Plan:
    """Which points a curve has.

    Parameters
    ----------
    tiles : tuple of int
        Numbers of labelled tiles to learn from; the larger sets hold the smaller ones, and 0 is a model that
        learnt nothing.
    policies : tuple of str
        How tiles are selected: names in `kerasseg.labelling.selection.POLICIES`.
    seeds : int
        How often each point is computed, each time with other tiles and other first weights.
    rounds : int
        How often a model proposes masks for further tiles; 0 is never.
    start : int
        Labelled tiles that the first proposals come from.
    reviewed : int
        Further tiles that masks are proposed for in each round.
    least_iou : float
        The foreground IoU from which on the simulated reviewer accepts a proposal.
    tested : int
        Most test tiles; of more, so many are drawn by the recipe's seed, once for all models.
    """

    tiles: tuple[int, ...]
    policies: tuple[str, ...]
    seeds: int
    rounds: int
    start: int = 30
    reviewed: int = 120
    least_iou: float = 0.8
    tested: int = 300

    @property
    def numbers(self) -> list[int]:
        """Numbers of tiles that are selected, step by step."""
        proposed = [self.start + number * self.reviewed for number in range(self.rounds + 1)]
        return sorted({*self.tiles, *(proposed if self.rounds else ())})

    def left(self, policy: str, seed: int, known: Sequence[Point]) -> tuple[list[int], list[int]]:
        """Give the numbers of labelled tiles and the rounds of proposals that are not among known points."""
        points = [point for point in known if (point.policy, point.seed) == (policy, seed)]
        tiles = {point.tiles for point in points if not point.proposals}
        rounds = {point.round for point in points}
        return (
            [number for number in self.tiles if number not in tiles],
            [number for number in range(1, self.rounds + 1) if number not in rounds],
        )


@dataclass(frozen=True)
class Point:
    """How good a model is that learnt from so many tiles.

    Attributes
    ----------
    policy : str
        How tiles were selected: a name in `kerasseg.labelling.selection.POLICIES`.
    proposals : str
        Who proposed masks that a reviewer accepted; empty where a person, or the truth, labelled every tile.
    tiles : int
        Tiles that the model learnt from, those included that it was chosen by.
    round : int
        How often there were proposals; 0 is before the first.
    seed : int
        Which of the plan's seeds, from 0.
    foreground_iou, mean_iou_two_class, f1 : float
        Pooled over the pixels of all test tiles, in [0, 1]; F1 is Dice.
    seconds : float
        Duration of the training.
    accepted, empty, rejected : int
        Of `tiles`, those whose proposal was accepted; of these, those in which nothing was proposed; and
        tiles whose proposal was rejected.
    """

    policy: str
    proposals: str
    tiles: int
    round: int
    seed: int
    foreground_iou: float
    mean_iou_two_class: float
    f1: float
    seconds: float
    accepted: int = 0
    empty: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        by = f", {self.accepted} of them by proposals of round {self.round}" if self.proposals else ""
        return (
            f"{self.policy}, seed {self.seed}, {self.tiles} tiles{by}: F1 {self.f1:.4f}, foreground IoU "
            f"{self.foreground_iou:.4f}, {self.seconds:.0f} s"
        )


class Points:
    """A curve's points and their file.

    Parameters
    ----------
    path : Path
        A CSV file; it need not exist.

    Attributes
    ----------
    known : list of Point
        Those in the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = read(path)

    def add(self, point: Point) -> None:
        """Write one more point down, complete or not at all, and say it."""
        with write_atomically(self.path) as temporary:
            text = tables.to_csv([*self.known, point], Point)
            temporary.write_text(text, encoding="utf-8", newline="\n")
        self.known.append(point)
        say(str(point))


def read(path: Path) -> list[Point]:
    """Read a curve's points; none where there is no file yet.

    Raises
    ------
    UserError
        If a line is not a point.
    """
    return tables.read(path, Point, "compute the curve") if path.exists() else []


def draw(
    numbers: Sequence[int],
    policy: str,
    candidates: Mapping[str, Sample],
    embeddings: Mapping[str, np.ndarray] | None,
    seed: int,
) -> list[str]:
    """Select tiles in steps, so that the first 30 are a selection of 30 that holds a selection of 5.

    Parameters
    ----------
    numbers : sequence of int
        How many there are after each step, rising.
    policy, embeddings, seed
        See `kerasseg.labelling.selection.select`.
    candidates : mapping of str to Sample
        Tiles by their names, with the attribute ``cluster``.

    Returns
    -------
    list of str
        Names.
    """
    cluster = {name: int(sample.attributes["cluster"]) for name, sample in candidates.items()}
    names: list[str] = []
    for number in numbers:
        selected = select(
            number - len(names),
            policy=policy,
            candidates=list(candidates),
            cluster=cluster,
            embeddings=embeddings,
            taken=names,
            seed=seed,
        )
        names += [tile.name for tile in selected]
    return names
