"""Shapes to pixels and pixels to run lengths, against labelme and pycocotools.

    python tools/bench/annotations.py

Ours and the peer's take turns in one process; seconds are the processor's, and a ratio is the median of the
rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import labelme.utils
import numpy as np
from pycocotools import mask as pycocotools
from rich.table import Table

from kerasseg.annotations import rle
from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.shapes import Shape
from kerasseg.console import console

SIZE = (1024, 1024)
INSTANCES = 500
ROUNDS = 7


def bodies(rng: np.random.Generator) -> list[Shape]:
    """Scatter wobbly bodies of 40 corners, as large as cells."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shapes = []
    for centre in rng.uniform(40, SIZE[0] - 40, (INSTANCES, 2)):
        radius = rng.uniform(8, 25) * (1 + 0.2 * np.sin(angles * rng.integers(2, 6)))
        shapes.append(Shape("cell", centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)))
    return shapes


def seconds(work: Callable[[], object]) -> float:
    """Time one call, in seconds of the processor."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(table: Table, task: str, ours: Callable[[], object], peer: Callable[[], object]) -> None:
    """Let both take turns, and add what they took to the table."""
    ours(), peer()
    times = np.array([(seconds(ours), seconds(peer)) for _ in range(ROUNDS)])
    mine, theirs = np.median(times, axis=0) * 1e3
    ratio = np.median(times[:, 0] / times[:, 1])
    table.add_row(task, f"{mine:.1f}", f"{theirs:.1f}", f"{ratio:.3f}")


def main() -> None:
    """Measure, check that the results are the same, and print the table."""
    shapes = bodies(np.random.default_rng(0))
    as_labelme = [vars(shape) | {"points": shape.points.tolist()} for shape in shapes]
    labels = draw_labels(shapes, SIZE)
    masks = [labels == at for at in np.unique(labels[labels > 0])]

    def labelmes() -> tuple[np.ndarray, np.ndarray]:
        return labelme.utils.shapes_to_label(SIZE, as_labelme, {"cell": 1})

    def both() -> tuple[np.ndarray, np.ndarray]:
        return draw_mask(shapes, SIZE, ["cell"]), draw_labels(shapes, SIZE)

    def pycocotools_strings() -> list[str]:
        return [pycocotools.encode(np.asfortranarray(mask, np.uint8))["counts"].decode() for mask in masks]

    def our_strings() -> list[str]:
        return [rle.compress(rle.box_counts(mask, (0, 0), mask.shape)) for mask in masks]

    assert all(map(np.array_equal, both(), labelmes()))
    assert our_strings() == pycocotools_strings()
    table = Table(title=f"{INSTANCES} instances in {SIZE[0]} x {SIZE[1]} pixels, medians of {ROUNDS} rounds")
    for heading in ("task", "kerasseg, ms", "peer, ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    compare(table, "shapes to mask and labels, against labelme", both, labelmes)
    compare(
        table, "labels to runs, against pycocotools", lambda: rle.encode_labels(labels), pycocotools_strings
    )
    compare(table, "masks to COCO strings, against pycocotools", our_strings, pycocotools_strings)
    console.print(table)


if __name__ == "__main__":
    main()
