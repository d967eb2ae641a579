"""Time and memory of reading a slice by rows of tiles, and of writing a mask of its size.

    python tools/bench/stores.py

A 10231 x 7162 uint16 slice, compressed in tiles of 512 pixels or in strips of 64 rows, or not at all, is read
by tiles of 512 pixels with 64 more on each side, and whole by tifffile. A mask of that size, on a disk as
prediction leaves it, is written as OME-TIFF and OME-Zarr with smaller levels, and by tifffile without them.
Every case runs in a process of its own, so that its peak memory is its own; the cases take turns, and times
are the medians. What the system maps of the mask's file counts as memory when it is written.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

SHAPE = (7162, 10231)
TILE, OVERLAP = 512, 64
ROUNDS = 3


def make(folder: Path) -> None:
    """Write what is read: smooth spots with noise, which compress as microscopy does."""
    noise = np.random.default_rng(0)
    coarse = noise.integers(0, 4000, (SHAPE[0] // 32 + 1, SHAPE[1] // 32 + 1), np.uint16)
    image = np.kron(coarse, np.ones((32, 32), np.uint16))[: SHAPE[0], : SHAPE[1]]
    image += noise.integers(0, 64, SHAPE, np.uint16)
    tifffile.imwrite(folder / "tiled.tif", image, tile=(512, 512), compression="zlib")
    tifffile.imwrite(folder / "striped.tif", image, rowsperstrip=64, compression="zlib")
    tifffile.imwrite(folder / "plain.tif", image)
    mask = np.memmap(folder / "mask", np.uint8, "w+", shape=SHAPE)
    mask[...] = image > 2000


def by_region(name: str) -> Callable[[Path], None]:
    """Read all tiles, row by row."""

    def run(folder: Path) -> None:
        from kerasseg.images.stores.store import open_store

        with open_store(folder / name) as store:
            for top in range(0, SHAPE[0], TILE):
                for left in range(0, SHAPE[1], TILE):
                    corner = (top - OVERLAP, left - OVERLAP)
                    store.read(tuple(slice(at, at + TILE + 2 * OVERLAP) for at in corner))

    return run


def whole(name: str) -> Callable[[Path], None]:
    """Read it whole with tifffile."""
    return lambda folder: tifffile.imread(folder / name)


def write(kind: str) -> Callable[[Path], None]:
    """Write the mask, band by band."""

    def run(folder: Path) -> None:
        from kerasseg.images.writing.result import Result

        mask = np.memmap(folder / "mask", np.uint8, "r", shape=SHAPE)
        result = Result(mask, "YX", (0.5, 0.5), "nearest")
        if kind == "tiff":
            from kerasseg.images.writing.tiff import write_tiff

            write_tiff(folder / "mask.ome.tif", result)
        else:
            from kerasseg.images.writing.zarr import write_zarr

            write_zarr(folder / "mask.ome.zarr", result)

    return run


def write_whole(folder: Path) -> None:
    """Write the mask from memory with tifffile, without smaller levels."""
    mask = np.fromfile(folder / "mask", np.uint8).reshape(SHAPE)
    tifffile.imwrite(folder / "whole.tif", mask, tile=(512, 512), compression="zlib")


CASES = {
    **{f"read {kind}, by tiles": by_region(f"{kind}.tif") for kind in ("tiled", "striped", "plain")},
    **{f"read {kind}, whole": whole(f"{kind}.tif") for kind in ("tiled", "striped", "plain")},
    "write OME-TIFF, by bands": write("tiff"),
    "write OME-Zarr, by bands": write("zarr"),
    "write TIFF, whole": write_whole,
}


def measure(case: str, folder: Path) -> None:
    """Run one case in this process and print its seconds and extra MiB."""
    import kerasseg.images.stores.store
    import kerasseg.images.writing.tiff  # noqa: F401

    if "Zarr" in case:
        import zarr  # noqa: F401
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    CASES[case](folder)
    seconds = time.perf_counter() - started
    print(json.dumps([seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))


def apart(case: str, folder: str) -> str:
    """Run one case in a process of its own; it begins with the peak memory of the one that starts it."""
    command = [sys.executable, __file__, case, folder]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    if len(sys.argv) > 1:
        case, folder = sys.argv[1], Path(sys.argv[2])
        return make(folder) if case == "make" else measure(case, folder)
    with tempfile.TemporaryDirectory() as folder:
        apart("make", folder)
        rounds = [{case: json.loads(apart(case, folder)) for case in CASES} for _ in range(ROUNDS)]
    size = np.prod(SHAPE) / 2**20
    print(f"{SHAPE[1]} x {SHAPE[0]}: {2 * size:.0f} MiB of uint16, {size:.0f} MiB of mask")
    print(f"{'case':28}{'s':>8}{'extra MiB':>12}")
    for case in CASES:
        seconds, extra = zip(*(each[case] for each in rounds), strict=True)
        print(f"{case:28}{statistics.median(seconds):8.2f}{max(extra):12.0f}")


if __name__ == "__main__":
    main()
