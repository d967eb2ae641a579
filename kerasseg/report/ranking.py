"""Which images of a test went worst, and which of them a report can show."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from statistics import fmean
from typing import NamedTuple

from kerasseg.images.folders import file_name

SCORES = ("dice", "iou", "precision", "recall")


class Rank(NamedTuple):
    """An image of the test and how well it went, each score a mean over the classes."""

    name: str
    place: int  # from 1, the worst
    of: int
    scores: dict[str, float]

    @property
    def title(self) -> str:
        """Say in a word where the image stands."""
        titles = {1: "worst", self.of // 2 + 1: "median", self.of: "best"}
        return titles.get(self.place, f"{self.place} of {self.of}, worst first")

    @property
    def file_name(self) -> str:
        """Name of the image's files among the predictions, without suffix."""
        return file_name(self.name)


def ranks(images: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Rank]:
    """Order images by their Dice, worst first; equals by their names; those without truth have no rank.

    Parameters
    ----------
    images : dict
        From the image's name to class to score, as in `metrics.json`.

    Returns
    -------
    list of Rank
    """
    means = {name: _mean_over_classes(by_class) for name, by_class in images.items()}
    means = {name: scores for name, scores in means.items() if scores}
    order = sorted(means, key=lambda name: (means[name]["dice"], name))
    return [Rank(name, place, len(order), means[name]) for place, name in enumerate(order, start=1)]


def shown(ranking: Collection[Rank], file_names: Collection[str]) -> list[Rank]:
    """Keep the images that have a picture, best first."""
    return [rank for rank in reversed(list(ranking)) if rank.file_name in file_names]


def _mean_over_classes(by_class: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Average over the classes that an image has any truth of; nothing where it has none."""
    known = [scores for scores in by_class.values() if is_score(scores["dice"])]
    return {score: fmean(scores[score] for scores in known) for score in SCORES} if known else {}


def is_score(value: float | None) -> bool:
    """Tell a score from the None or NaN that stands where there was no truth."""
    return value is not None and not math.isnan(value)
