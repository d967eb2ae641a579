"""Runs beside each other: a page that needs no network, and a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.files import write_atomically
from kerasseg.metrics.bootstrap import mean
from kerasseg.metrics.paired import Difference
from kerasseg.report import charts, pictures
from kerasseg.report.template import JPEG, SVG, embedded, fill

PAGE, TABLE = "compare.html", "compare.csv"
WIDEST = 700  # of a picture, in pixels


@dataclass(frozen=True)
class Score:
    """One measure of one class.

    Attributes
    ----------
    title : str
        Such as ``cell: Dice``.
    values : numpy.ndarray
        (R, N) float64 of R runs on N images; NaN where an image has no score.
    differences : list of Difference or None
        Of each run from the first, which has None.
    """

    title: str
    values: np.ndarray
    differences: Sequence[Difference | None]

    @property
    def means(self) -> list[float]:
        """Mean of each run over the images that have a score by all."""
        known = ~np.isnan(self.values).any(axis=0)
        return mean(self.values[:, known], axis=1).tolist()


@dataclass(frozen=True)
class Picture:
    """What each run made of an image.

    Attributes
    ----------
    image : str
    why : str
        Why it is shown.
    scores : list of float
        One for each run.
    overlays : list of numpy.ndarray
        (height, width, 3) uint8, one for each run.
    """

    image: str
    why: str
    scores: Sequence[float]
    overlays: Sequence[np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """What runs are like, and how well they did on the images that all were tested on.

    Attributes
    ----------
    runs : list of str
        Their folders; the others are compared with the first.
    settings : mapping
        From a key of the recipes that differ to its value in each.
    costs : mapping
        From what was measured to its value in each.
    images : list of str
        Names of the N images.
    scores : list of Score
    """

    runs: Sequence[str]
    settings: Mapping[str, Sequence[Any]]
    costs: Mapping[str, Sequence[float | None]]
    images: Sequence[str]
    scores: Sequence[Score]


def write(folder: Path, comparison: Comparison, drawn: Sequence[Picture]) -> Path:
    """Write ``compare.html``, and ``compare.csv`` with a line for each image, measure and run.

    Parameters
    ----------
    folder : Path
    comparison : Comparison
    drawn : sequence of Picture

    Returns
    -------
    Path
        The page.
    """
    first = comparison.scores[0]
    shown = [
        (each, [embedded(pictures.compressed(overlay, WIDEST), JPEG) for overlay in each.overlays])
        for each in drawn
    ]
    chart = embedded(charts.paired(first.values, comparison.runs, first.title), SVG)
    page = fill(Path(__file__).with_suffix(".html"), {"of": comparison, "chart": chart, "pictures": shown})
    with write_atomically(folder / PAGE) as path:
        path.write_text(page, encoding="utf-8")
    with write_atomically(folder / TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "score", *comparison.runs))
        for score in comparison.scores:
            for image, values in zip(comparison.images, score.values.T, strict=True):
                table.writerow((image, score.title, *values))
    return folder / PAGE
