"""Objects found in test fields that are shown at other sizes: as they are, and with their diameter told.

    python tools/bench/scale.py runs/nuclei/1 [--sizes 0.33 0.5 1 2 3]

The run's images and annotations are resized; scores are pooled over the fields: of the objects found and of
those that are there, the share that match at an IoU of 0.5 (F1), and PQ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from kerasseg.commands import preparation
from kerasseg.console import console, track
from kerasseg.data.sample import Sample
from kerasseg.images.preprocessing import resize, resize_mask
from kerasseg.metrics.instance import Counts, count, overlap, panoptic_quality, recognition_quality
from kerasseg.recipe import load
from kerasseg.runs.rundirectory import RECIPE, existing
from kerasseg.segmenter import Segmenter


def counted(segmenter: Segmenter, sample: Sample, times: float, diameter: float | None) -> Counts:
    """Count the objects of a field that is shown at so many times its size."""
    size = tuple(round(side * times) for side in sample.size)
    labels = segmenter.labels(resize(sample.read(), size), diameter=diameter)
    return count(overlap(resize_mask(sample.annotate().labels, size), labels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.33, 0.5, 1, 2, 3])
    given = parser.parse_args()
    segmenter, recipe = Segmenter.load(given.run), load(existing(given.run) / RECIPE)
    samples = preparation.parts(recipe).test
    table = Table(
        "times its size", "F1 as it is", "F1 by diameter", "PQ as it is", "PQ by diameter", box=None
    )
    for times in given.sizes:
        pooled = []
        for diameter in (None, segmenter.spec.diameter * times):
            fields = (counted(segmenter, sample, times, diameter) for sample in track(samples, f"{times:g}"))
            pooled.append(sum(fields, start=next(fields)))
        f1, pq = (
            [float(score(each)) for each in pooled] for score in (recognition_quality, panoptic_quality)
        )
        table.add_row(f"{times:g}", *(f"{value:.3f}" for value in (*f1, *pq)))
    console.print(table)


if __name__ == "__main__":
    main()
