"""Time of finding nuclei in a slice, and memory of extracting them from stacks of different lengths.

    python tools/bench/nuclei.py SLICE --diameter 134
    python tools/bench/nuclei.py ../shared/data/em/openorganelle_slices/jrc_dauer-larva.png --diameter 134

A slice is searched for lighter nuclei, for darker ones and for both, in turns; times are medians, of one
thread. Then a stack that drifts is made of it, and extracted in a process of its own for each length, so that
its peak memory is its own.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tifffile

from kerasseg.images import files
from kerasseg.nuclei.detection import SIGNS, detect
from kerasseg.nuclei.extract import Settings, extract

ROUNDS = 9
LENGTHS = (10, 40, 120)
DRIFT = 60  # pixels that a stack drifts up and down


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("slice", type=Path)
    parser.add_argument("--diameter", type=float, required=True)
    parser.add_argument("--extract", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.extract:
        extract(given.slice, given.extract, Settings(diameter=str(given.diameter), axes="ZYX"))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    image = files.read(given.slice)[..., 0]
    print_times(image, given.diameter)
    print_memory(image, given.diameter)


def print_times(image: np.ndarray, diameter: float) -> None:
    """Search a slice (Y, X) by each polarity, in turns."""
    cv2.setNumThreads(1)
    seconds: dict[str, list[float]] = {polarity: [] for polarity in SIGNS}
    for _ in range(ROUNDS):
        for polarity, times in seconds.items():
            started = time.process_time()
            detect(image, diameter, polarity=polarity)
            times.append(time.process_time() - started)
    print(f"a slice of {image.size / 1e6:.2f} megapixels, processor seconds of one thread")
    for polarity, times in seconds.items():
        print(f"  {polarity:7} {statistics.median(times):.3f} ({min(times):.3f}-{max(times):.3f})")


def print_memory(image: np.ndarray, diameter: float) -> None:
    """Extract stacks that drift by rows of a slice (Y, X), and print what memory each took at most."""
    print("slices  MiB at most  seconds")
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            stack = Path(folder) / "stack.tif"
            with tifffile.TiffWriter(stack, bigtiff=True) as writer:
                for number in range(length):
                    top = abs(number % (2 * DRIFT) - DRIFT)
                    plane = image[top : top + len(image) - DRIFT]
                    writer.write(plane, contiguous=True, photometric="minisblack")
            command = [sys.executable, __file__, str(stack), "--diameter", str(diameter)]
            started = time.monotonic()
            done = subprocess.run(
                [*command, "--extract", str(Path(folder) / "out")], capture_output=True, text=True, check=True
            )
            print(f"{length:6}  {done.stdout.split()[-1]:>11}  {time.monotonic() - started:.1f}")


if __name__ == "__main__":
    main()
