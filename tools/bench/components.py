"""Components of a real volume against SciPy, scikit-image and cc3d: seconds, and memory at most.

    OMP_NUM_THREADS=1 python tools/bench/components.py [MASK.tif] [--rounds 7] [--tiled 4]

The mask is a volume of a few classes, such as that of UroCell (256 x 256 x 256, four classes); without one,
smooth noise of 512 x 512 x 512 voxels is cut into four classes. Answers are compared first: how many objects
there are, and how many voxels are kept. Then all take turns in one process; seconds are the processor's, and
a ratio is the median of the rounds' ratios. Memory is what one work takes at most in a process of its own,
beside the mask. With `--tiled` the mask is repeated along each axis, and then `kerasseg components` reads,
cleans, measures and writes that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from contest import Work
from rich.table import Table

from kerasseg.console import console

LEAST = {1: 3000, 2: 2000, 3: 1000, 4: 500}
"""Voxels of each class that an object has at least, after the clean-up of the FIB-SEM paper."""
WORKS = ("number", "clean")
MIB = 2**20


def ours(mask: np.ndarray) -> dict[str, Work]:
    """What stands in the package, with the mask in memory."""
    from kerasseg import postprocess

    return {
        "number": lambda: postprocess.labels(mask, diagonal=True).max(),
        "clean": lambda: _clean(mask, len(mask)),
    }


def in_bands(height: int) -> Callable[[np.ndarray], dict[str, Work]]:
    """Make the same that arrives in bands of so many planes."""

    def contender(mask: np.ndarray) -> dict[str, Work]:
        from kerasseg.images.stores.blocks import cuts
        from kerasseg.postprocess import streaming

        def number() -> int:
            into = np.empty(mask.shape, np.int32)
            return streaming.labels((mask[rows] for rows in cuts(len(mask), height)), into, diagonal=True)

        return {"number": number, "clean": lambda: _clean(mask, height)}

    return contender


def _clean(mask: np.ndarray, height: int) -> int:
    from kerasseg.images.stores.blocks import cuts
    from kerasseg.postprocess.cleaning import CleanUp, number_by_size

    into = np.empty(mask.shape, np.int32)
    bands = (mask[rows] for rows in cuts(len(mask), height))
    return number_by_size(bands, into, CleanUp(smallest=LEAST), connectivity=26).sizes.sum()


def cc3d(mask: np.ndarray) -> dict[str, Work]:
    """The library that ours calls, as its users do."""
    import cc3d

    def number() -> int:
        return cc3d.connected_components(mask, connectivity=26, return_N=True)[1]

    def clean() -> int:
        labels = cc3d.connected_components(mask, connectivity=26)
        sizes = cc3d.statistics(labels)["voxel_counts"]
        classes = np.zeros(len(sizes), np.uint8)
        classes[labels] = mask
        least = np.array([LEAST.get(each, mask.size) for each in range(256)])
        kept = sizes >= least[classes]
        return np.count_nonzero(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels])

    return {"number": number, "clean": clean}


def scipy(mask: np.ndarray) -> dict[str, Work]:
    """Class by class, as `scipy.ndimage.label` knows only foreground."""
    from scipy import ndimage

    around = np.ones((3, 3, 3))

    def number() -> int:
        return sum(ndimage.label(mask == of_class, around)[1] for of_class in range(1, mask.max() + 1))

    def clean() -> int:
        into, count = np.zeros(mask.shape, np.int32), 0
        for of_class, least in LEAST.items():
            labels, _ = ndimage.label(mask == of_class, around)
            kept = np.bincount(labels.ravel()) >= least
            kept[0] = False
            numbers = np.where(kept, np.cumsum(kept) + count, 0).astype(np.int32)
            into += numbers[labels]
            count += np.count_nonzero(kept)
        return np.count_nonzero(into)

    return {"number": number, "clean": clean}


def skimage(mask: np.ndarray) -> dict[str, Work]:
    """`skimage.measure.label`, then `remove_small_objects` class by class."""
    from skimage.measure import label
    from skimage.morphology import remove_small_objects

    def clean() -> int:
        labels = label(mask, connectivity=3)
        return sum(
            np.count_nonzero(remove_small_objects(np.where(mask == of_class, labels, 0), max_size=least - 1))
            for of_class, least in LEAST.items()
        )

    return {"number": lambda: label(mask, connectivity=3).max(), "clean": clean}


CONTENDERS = {
    "kerasseg": ours,
    "kerasseg, bands of 64": in_bands(64),
    "kerasseg, bands of 8": in_bands(8),
    "cc3d": cc3d,
    "SciPy": scipy,
    "scikit-image": skimage,
}


def seconds(work: Work) -> float:
    """Time one call, in seconds of the processor."""
    began = time.process_time()
    work()
    return time.process_time() - began


def peak(name: str, mask: Path, work: str) -> float:
    """Measure the memory that one work takes in a process of its own, in MiB."""
    command = [sys.executable, __file__, str(mask), "--weigh", name, work]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def weigh(name: str, mask: np.ndarray, work: str) -> None:
    """Be the process of `peak`: what the work imports is there before, called on a corner."""
    CONTENDERS[name](mask[:16, :16, :16].copy())[work]()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _memory("VmHWM")
    CONTENDERS[name](mask)[work]()
    print(_memory("VmHWM") - before)


def _memory(what: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def main() -> None:
    """Compare on a mask, or run the command on many of it."""
    warnings.simplefilter("ignore")  # scikit-image's, of a class with one object
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("mask", type=Path, nargs="?")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--tiled", type=int, help="how often the mask is repeated along each axis")
    arguments.add_argument("--weigh", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.mask is None:
        with tempfile.TemporaryDirectory() as folder:
            tifffile.imwrite(path := Path(folder) / "noise.tif", noise(), compression="zlib")
            return compare(path, given.rounds)
    if given.weigh:
        return weigh(given.weigh[0], tifffile.imread(given.mask), given.weigh[1])
    if given.tiled:
        return run(tifffile.imread(given.mask), given.tiled)
    return compare(given.mask, given.rounds)


def noise() -> np.ndarray:
    """Draw a mask of four classes and background, two thirds of it, each voxel eight times."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(np.random.default_rng(0).random((256, 256, 256), np.float32), 3)
    edges = np.quantile(values[::4, ::4, ::4], [0.06, 0.12, 0.80, 0.88])
    mask = np.array([1, 2, 0, 3, 4], np.uint8)[np.digitize(values, edges)]
    return mask.repeat(2, 0).repeat(2, 1).repeat(2, 2)


def compare(path: Path, rounds: int) -> None:
    """Compare the answers, let all take turns, weigh them, and print the tables."""
    mask = tifffile.imread(path)
    works = {name: contender(mask) for name, contender in CONTENDERS.items()}
    for work in WORKS:
        answers = {name: int(each[work]()) for name, each in works.items()}
        assert len(set(answers.values())) == 1, answers
        console.print(f"{work}: {answers['SciPy']:,} {'objects' if work == 'number' else 'voxels kept'}")
    times = [[[seconds(each[work]) for work in WORKS] for each in works.values()] for _ in range(rounds)]
    weights = [[peak(name, path, work) for work in WORKS] for name in CONTENDERS]
    show(np.array(times), np.array(weights))


def run(mask: np.ndarray, times: int) -> None:
    """Run the command on a volume of many masks; print its seconds and its memory at most."""
    shape = tuple(times * side for side in mask.shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.tif"
        planes = (np.tile(mask[z % len(mask)], (times, times)) for z in range(shape[0]))
        how = {"compression": "zlib", "photometric": "minisblack", "metadata": {"axes": "ZYX"}}
        tifffile.imwrite(path, planes, shape=shape, dtype=mask.dtype, **how)
        began = time.perf_counter()
        options = ("--min-size", "500", "--pixel-size", "0.015,0.016,0.016")
        typed = ["components", str(path), str(path.with_name("labels.ome.zarr")), *options]
        command = [sys.executable, "-c", "from kerasseg.cli import main; main()", *typed]
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        wall = time.perf_counter() - began
    console.print(
        f"{' x '.join(map(str, shape))} voxels: {wall:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of the "
        f"processor, {usage.ru_maxrss / 1024:.0f} MiB at most"
    )


def show(times: np.ndarray, weights: np.ndarray) -> None:
    """Print a table for each work: seconds, memory, and what both are to SciPy's."""
    judge = list(CONTENDERS).index("SciPy")
    for at, work in enumerate(WORKS):
        table = Table("", "ms", "to SciPy", "to kerasseg", "MiB", "to SciPy", title=work)
        for number, name in enumerate(CONTENDERS):
            seconds = times[:, number, at]
            ratios = [np.median(seconds / times[:, other, at]) for other in (judge, 0)]
            weight = weights[number, at]
            cells = (1e3 * np.median(seconds), *ratios, weight, weight / weights[judge, at])
            table.add_row(
                name, *(f"{cell:.{digits}f}" for cell, digits in zip(cells, (0, 3, 2, 0, 2), strict=True))
            )
        console.print(table)


if __name__ == "__main__":
    main()
