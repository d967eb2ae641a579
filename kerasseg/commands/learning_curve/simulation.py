"""What takes a person's place in experiments: a slide's truth, and a reviewer that accepts what fits it.

The reviewer accepts what overlaps the truth enough, rejects the rest, and corrects nothing. It is stricter
than persons in one way, as it looks at every pixel, and less patient in another, as it never mends a proposal
that is nearly right.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations.label_images import as_labels
from kerasseg.annotations.values import class_ids
from kerasseg.commands.learning_curve.learner import Learner
from kerasseg.commands.learning_curve.points import Plan, Point, Points
from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError
from kerasseg.images.padding import cut
from kerasseg.images.stores.store import open_store
from kerasseg.labelling import clustering
from kerasseg.labelling.folder import read_tiles, tile_path
from kerasseg.labelling.slide import read_window
from kerasseg.labelling.sliding_window import SlidingWindow
from kerasseg.metrics import pixel

PROPOSER = "model"


def true_samples(root: Path, truth: Path, classes: Sequence[str]) -> list[Sample]:
    """List the tiles of a slide with their true annotations, cut as the tiles were.

    Parameters
    ----------
    root : Path
        The labelling folder, its tiles clustered.
    truth : Path
        An image as large as the slide, which `kerasseg.images.stores.store.open_store` opens; it is read tile
        by tile, when asked. With one class every number but 0 is an object of it; with several the numbers
        are class ids.
    classes : sequence of str
        Names of the foreground classes.

    Returns
    -------
    list of Sample
        In the order of ``tiles.csv``, with the attributes ``part`` and ``cluster``.

    Raises
    ------
    UserError
        If the truth cannot be opened, or does not fit the slide.
    """
    window, tiles = read_window(root), read_tiles(root)
    with open_store(truth, values=True) as store:
        shape = store.shape
    if shape != (*window.size, 1):
        raise UserError(
            f"{truth}: it is {' x '.join(map(str, shape))} (height, width, channels), and the slide is "
            f"{window.size[0]} x {window.size[1]}; expected one number a pixel of this slide"
        )
    samples = []
    clusters = clustering.read(root, [tile.name for tile in tiles]).cluster.tolist()
    for tile, cluster in zip(tiles, clusters, strict=True):
        annotate = partial(_annotate, truth, window, len(classes), tile.y, tile.x)
        attributes = {"part": tile.part, "cluster": str(cluster)}
        image, size = tile_path(root, tile.name), (window.tile, window.tile)
        samples.append(Sample(tile.name, image, size, annotate, attributes))
    return samples


def _annotate(truth: Path, window: SlidingWindow, classes: int, y: int, x: int) -> Annotation:
    """Cut a tile out of the truth, given the first pixel of its core on the slide: masks (tile, tile)."""
    starts = (y - window.margin, x - window.margin)
    region = tuple(slice(start, start + window.tile) for start in starts)
    with open_store(truth, values=True) as store:
        values = cut(store, region, window.padding)[..., 0]
    if classes > 1:
        return Annotation(class_ids(classes).mask(values, truth))
    labels = as_labels(values, truth)
    return Annotation((labels > 0).astype(np.uint8), labels)


def accepts(proposed: np.ndarray, true: np.ndarray, least_iou: float) -> bool:
    """Tell whether a proposed mask overlaps the true one enough.

    Parameters
    ----------
    proposed, true : numpy.ndarray, shape (Y, X), uint8
        Class ids; all classes count as foreground. Where the truth is 255 (ignore) nothing is looked at.
    least_iou : float
        Least foreground IoU, in [0, 1]. Nothing proposed where there is nothing is an agreement.
    """
    counts = pixel.count_foreground(true, proposed)
    nothing = counts.tp + counts.fp + counts.fn == 0
    return bool(nothing[0] or pixel.iou(counts)[0] >= least_iou)


@dataclass(frozen=True)
class Series:
    """Models that learn from more and more of the same tiles: one policy with one seed.

    Parameters
    ----------
    policy : str
    seed : int
    learner : Learner
        The learner of that seed.
    selected : list of Sample
        Tiles that the policy selected, in its order.
    test : list of Sample
        The test tiles of all series.
    """

    policy: str
    seed: int
    learner: Learner
    selected: list[Sample]
    test: list[Sample]

    def compute(self, plan: Plan, points: Points) -> None:
        """Add the points that are not known; proposals of one round need those before."""
        tiles, rounds = plan.left(self.policy, self.seed, points.known)
        for number in tiles:
            points.add(self._point(self.selected[:number]))
        for point in self._proposed(plan) if rounds else ():
            if point.round in rounds:
                points.add(point)

    def _proposed(self, plan: Plan) -> Iterator[Point]:
        """Learn from the first tiles and accepted proposals, round by round."""
        samples = {sample.name: sample for sample in self.selected}
        labelled = {sample.name: sample for sample in self.selected[: plan.start]}
        rejected: list[str] = []
        empty = 0
        self.learner.learn(list(labelled.values()))
        for number in range(plan.rounds):
            start = plan.start + number * plan.reviewed
            waiting = [*rejected, *(sample.name for sample in self.selected[start : start + plan.reviewed])]
            masks = {name: self.learner.predict(samples[name]) for name in track(waiting, "proposing")}
            rejected = []
            for name, mask in masks.items():
                if accepts(mask, samples[name].annotate().mask, plan.least_iou):
                    labelled[name] = replace(samples[name], annotate=partial(Annotation, mask))
                    empty += not mask.any()
                else:
                    rejected.append(name)
            yield self._point(
                list(labelled.values()),
                proposals=PROPOSER,
                round=number + 1,
                accepted=len(labelled) - plan.start,
                empty=empty,
                rejected=len(rejected),
            )

    def _point(self, samples: Sequence[Sample], proposals: str = "", round: int = 0, **counts: int) -> Point:
        """Learn from samples, and score the model on the test tiles."""
        started = time.monotonic()
        self.learner.learn(samples)
        seconds = time.monotonic() - started
        pixels = self.learner.count(self.test)
        return Point(
            policy=self.policy,
            proposals=proposals,
            tiles=len(samples),
            round=round,
            seed=self.seed,
            foreground_iou=float(pixel.iou(pixels)[0]),
            mean_iou_two_class=float(pixel.mean_iou_two_class(pixels)[0]),
            f1=float(pixel.dice(pixels)[0]),
            seconds=seconds,
            **counts,
        )
