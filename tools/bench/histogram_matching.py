"""A stack matched to another by two histograms, against scikit-image: seconds, and memory at most.

    OMP_NUM_THREADS=1 python tools/bench/histogram_matching.py [--shape 64 512 512] [--rounds 5]

Both stacks are in memory. Ours are worked on in bands of 4 MB, to an answer of their own type; scikit-image's
answer is float64. Answers are compared first; then both take turns in one process, whose seconds are counted.
Memory is what one work takes at most in a process of its own, beside the stacks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.table import Table
from skimage.exposure import match_histograms

from kerasseg.console import console
from kerasseg.images import histogram_matching
from kerasseg.images.statistics import bands_of

TYPES = ("uint8", "uint16")


def stacks(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a dark stack and a bright one, (Z, Y, X, 1)."""
    random, scale = np.random.default_rng(0), np.iinfo(dtype).max
    return tuple(
        (random.standard_normal(shape, np.float32) * 0.1 + mean)
        .clip(0, 1)
        .__mul__(scale)
        .astype(dtype)[..., None]
        for mean in (0.4, 0.6)
    )


def ours(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Count both in bands, make the table, and apply it in bands."""
    counted = [histogram_matching.counts(bands_of(each)) for each in (image, reference)]
    table, matched = histogram_matching.table(*counted, image.dtype), np.empty_like(image)
    for old, new in zip(bands_of(image)(), bands_of(matched)(), strict=True):
        new[:] = histogram_matching.matched(old, table)
    return matched


def skimage(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Match the whole."""
    return match_histograms(image[..., 0], reference[..., 0])


WORKS = {"kerasseg": ours, "scikit-image": skimage}


def seconds(work: object, pair: tuple[np.ndarray, np.ndarray]) -> float:
    """Time one call, in seconds of the processor."""
    began = time.process_time()
    work(*pair)
    return time.process_time() - began


def weigh(name: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Print what memory a work takes beside its stacks, in MiB."""
    WORKS[name](*(each[:1, :16, :16] for each in pair))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _memory()
    WORKS[name](*pair)
    print(_memory() - before)


def _memory() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Compare the answers, let both take turns, weigh them, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--shape", type=int, nargs=3, default=(64, 512, 512))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--weigh", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.weigh:
        return weigh(given.weigh[0], stacks(given.shape, given.weigh[1]))
    table = Table(
        "", "kerasseg, ms", "scikit-image, ms", "ratio", "kerasseg, MiB", "scikit-image, MiB", "ratio"
    )
    for dtype in TYPES:
        pair = stacks(given.shape, dtype)
        assert np.array_equal(ours(*pair)[..., 0], np.rint(skimage(*pair)))
        times = np.array([[seconds(work, pair) for work in WORKS.values()] for _ in range(given.rounds)])
        shape = ("--shape", *map(str, given.shape))
        weights = [_weighed([*shape, "--weigh", name, dtype]) for name in WORKS]
        cells = (*1e3 * np.median(times, axis=0), np.median(times[:, 0] / times[:, 1]), *weights)
        digits = (0, 0, 2, 0, 0, 2)
        both = zip((*cells, weights[0] / weights[1]), digits, strict=True)
        table.add_row(dtype, *(f"{cell:.{digits}f}" for cell, digits in both))
    console.print(table)


def _weighed(arguments: list[str]) -> float:
    command = [sys.executable, __file__, *arguments]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
