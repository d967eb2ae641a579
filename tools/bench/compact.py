"""Key points: how fast they are chosen and become an image again, and how much memory that takes.

    OMP_NUM_THREADS=1 python tools/bench/compact.py [IMAGE.tif] [--channel 1] [--side 10240]

The image, such as the mitochondria of the HeLa cells of the NEUBIAS collection, is brought to 8 bits, cut to
448 x 512 pixels, and repeated in larger and larger images, which are mapped from a file. Without one, smooth
noise takes its place. Each case runs in a process of its own, on one core; seconds are the processor's, and
memory is what the process has more at most than before it opened the image, pages of the mapped file
included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tifffile
from rich.table import Table
from scipy import ndimage

from kerasseg.compact.rebuilding import rebuild
from kerasseg.compact.selection import select
from kerasseg.console import console

FIELD = (448, 512)
CASES = {"pursuit": ("4%", {"amplitude": 0.25}), "grey": ("4%", {}), "hybrid": ("1%", {})}
SIDES = (1024, 2048, 4096)


def field(path: Path | None, channel: int) -> np.ndarray:
    """Read the image, or draw one: (448, 512) uint8."""
    if path is None:
        image = ndimage.gaussian_filter(np.random.default_rng(0).random(FIELD), 2)
    else:
        image = np.atleast_3d(tifffile.imread(path))[: FIELD[0], : FIELD[1], channel].astype(float)
    low, high = np.percentile(image, [0.1, 99.9])
    return np.rint(255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8)


def repeated(image: np.ndarray, side: int, path: Path) -> None:
    """Write a square of copies, each row of them moved, as a file that can be mapped."""
    large = np.lib.format.open_memmap(path, "w+", np.uint8, (side, side))
    row = np.tile(image, (1, -(-side // image.shape[1])))[:, :side]
    for number, top in enumerate(range(0, side, len(image))):
        large[top : top + len(image)] = np.roll(row, 97 * number, axis=1)[: side - top]
    large.flush()


def peak() -> int:
    """Give the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(path: Path, method: str) -> dict[str, float]:
    """Choose the points of a mapped image, and rebuild it."""
    cv2.setNumThreads(1)
    budget, options = CASES[method]
    before, image = peak(), np.load(path, mmap_mode="r")
    began = time.process_time()
    points = select(image, "YX", method, budget=budget, options=options)
    chosen, memory = time.process_time(), peak() - before
    again = rebuild(points)
    seconds = time.process_time() - chosen
    return {
        "points": len(points),
        "seconds": chosen - began,
        "memory": memory,
        "rate": again.size / 1e6 / max(seconds, 1e-9),
    }


def main() -> None:
    """Measure every method on every size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--channel", type=int, default=1)
    parser.add_argument("--side", type=int, help="of a larger image, for the hybrid alone")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)  # what a process of its own is told
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(Path(arguments.case[0]), arguments.case[1])))
        return
    image = field(arguments.image, arguments.channel)
    cases = [(None, method) for method in CASES] + [(side, method) for side in SIDES for method in CASES]
    cases += [(arguments.side, "hybrid")] if arguments.side else []
    table = Table(title="Key points on one core; MP is a megapixel")
    for heading in (
        "image",
        "method",
        "points",
        "seconds",
        "s / megapixel",
        "MiB",
        "rebuilt, megapixels / s",
    ):
        table.add_column(heading, justify="left" if heading in ("image", "method") else "right")
    with tempfile.TemporaryDirectory() as folder:
        for side, method in cases:
            path = Path(folder) / f"{side}.npy"
            if side is None:
                np.save(path, image)
            elif not path.exists():
                repeated(image, side, path)
            command = [sys.executable, __file__, "--case", str(path), method]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            case = json.loads(answer.splitlines()[-1])
            shape = FIELD if side is None else (side, side)
            table.add_row(
                " x ".join(map(str, shape)),
                f"{method}, {CASES[method][0]}",
                f"{case['points']:,}",
                f"{case['seconds']:.2f}",
                f"{case['seconds'] / np.prod(shape) * 1e6:.2f}",
                f"{case['memory']}",
                f"{case['rate']:.0f}",
            )
    console.print(table)


if __name__ == "__main__":
    main()
