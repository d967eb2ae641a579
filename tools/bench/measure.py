"""A table of objects against scikit-image's `regionprops_table`: seconds, and memory at most.

    OMP_NUM_THREADS=1 python tools/bench/measure.py [--side 8192] [--objects 5000] [--rounds 5]
    OMP_NUM_THREADS=1 python tools/bench/measure.py --labels truth.labels.ome.tif --image slide.ome.tif

Ellipses on a grid, with an image of three channels of 16 bits, lie in memory; or labels and image are read
from files. Answers are compared first, each property of each object. Then both take turns in one process,
whose seconds are counted. Memory is what one work takes at most in a process of its own, beside labels and
image.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile
from rich.table import Table
from skimage.draw import ellipse
from skimage.measure import regionprops_table

from kerasseg.console import console
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.table import object_columns

PROPERTIES = (
    *("label", "num_pixels", "area", "perimeter", "perimeter_crofton", "axis_major_length"),
    *("axis_minor_length", "eccentricity", "solidity", "centroid", "bbox", "intensity_mean", "intensity_max"),
)


def drawn(side: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw ellipses in the cells of a grid, (Y, X) int32, and noise, (Y, X, 3) uint16."""
    random = np.random.default_rng(0)
    columns = math.ceil(math.sqrt(objects))
    step = side // columns
    labels = np.zeros((side, side), np.int32)
    for number in range(objects):
        y, x = (step * place + step // 2 for place in divmod(number, columns))
        axes = random.uniform(0.15 * step, 0.4 * step, 2)
        labels[ellipse(y, x, *axes, labels.shape, random.uniform(0, math.pi))] = number + 1
    return labels, random.integers(0, 2**16, (side, side, 3), np.uint16)


def ours(labels: np.ndarray, image: np.ndarray) -> Mapping[str, np.ndarray]:
    """Measure band by band."""
    return object_columns(measure(labels, image), (None, None))


def skimage(labels: np.ndarray, image: np.ndarray) -> Mapping[str, np.ndarray]:
    """Measure object by object."""
    return regionprops_table(labels, image, PROPERTIES, extra_properties=(intensity_sum,))


def intensity_sum(inside: np.ndarray, intensities: np.ndarray) -> np.ndarray:
    """Sum up what scikit-image has no property for."""
    return intensities[inside].sum(axis=0)


WORKS = {"kerasseg": ours, "scikit-image": skimage}


def compare(found: Mapping[str, np.ndarray], judge: Mapping[str, np.ndarray]) -> float:
    """Give the largest difference of two tables, as a part of the value."""
    found = {re.sub("_px2?$", "", name): values for name, values in found.items()}
    assert found.keys() == judge.keys(), found.keys() ^ judge.keys()
    return max(
        np.max(np.abs(found[name] - values) / np.maximum(1, np.abs(values))) for name, values in judge.items()
    )


def seconds(work: object, given: tuple[np.ndarray, np.ndarray]) -> float:
    """Time one call, in seconds of the processor."""
    began = time.process_time()
    work(*given)
    return time.process_time() - began


def weigh(name: str, given: tuple[np.ndarray, np.ndarray]) -> None:
    """Print what memory a work takes beside what it is given, in MiB."""
    WORKS[name](*drawn(256, 4))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _memory()
    WORKS[name](*given)
    print(_memory() - before)


def _memory() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Compare the answers, let both take turns, weigh them, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--side", type=int, default=8192)
    arguments.add_argument("--objects", type=int, default=5000)
    arguments.add_argument("--labels", type=Path)
    arguments.add_argument("--image", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--weigh", help=argparse.SUPPRESS)
    typed = arguments.parse_args()
    if typed.labels:
        labels, image = map(tifffile.imread, (typed.labels, typed.image))
        given = labels, image.reshape(*labels.shape, -1)
    else:
        given = drawn(typed.side, typed.objects)
    if typed.weigh:
        return weigh(typed.weigh, given)
    difference = compare(ours(*given), skimage(*given))
    times = np.array([[seconds(work, given) for work in WORKS.values()] for _ in range(typed.rounds)])
    weights = [_weighed(name) for name in WORKS]
    objects = len(np.unique(given[0])) - 1
    table = Table("", "s", "ratio", "MiB", title=f"{objects:,} objects, image of {given[1].shape}")
    for number, (name, weight) in enumerate(zip(WORKS, weights, strict=True)):
        ratio = np.median(times[:, number] / times[:, -1])
        table.add_row(name, f"{np.median(times[:, number]):.2f}", f"{ratio:.2f}", f"{weight:.0f}")
    console.print(table)
    console.print(f"largest difference: {difference:.1g} of the value")


def _weighed(name: str) -> float:
    command = [sys.executable, __file__, *sys.argv[1:], "--weigh", name]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
