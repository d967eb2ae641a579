"""Time and memory of predicting a slide from file to file, beside the bare network.

    python tools/bench/prediction.py            # 2048 x 4096, some two minutes on two cores
    python tools/bench/prediction.py --full     # 10231 x 7162

A small U-Net answers for a slide in a tiled and compressed TIFF; its mask becomes an OME-TIFF with smaller
levels. The bare network answers for as many batches of the same shape that are in memory already: everything
beyond its time is spent on reading, cutting, merging, deciding and writing. Slides have one width and three
heights. Each is predicted in a process of its own, so that its peak memory is its own; `extra` is what the
peak rises by after the network has answered once. The bare network runs before and after, and a ratio is to
their mean: by the clock, and by the processor time, which a busy machine disturbs less. The network is not
trained, so that its mask is noise, which takes four times as long to compress as a mask of cells.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

SIZES = {False: (4096, 2048), True: (7162, 10231)}  # full or not: the highest slide
PARTS = (4, 2, 1)  # of its height
SETTINGS = [(128, 4), (512, 64)]  # tile, overlap per side
PIXELS = 2**20  # in a batch
HEADINGS = ("tile", "overlap", "size", "batches", "s", "ratio", "CPU", "extra MiB")
UNET = {"encoder": "plain", "base_filters": 8, "attention": False, "decoder_filters": [64, 32, 16, 8]}


def make(path: Path, height: int, width: int) -> None:
    """Write smooth spots with noise; no tile of them is empty."""
    noise = np.random.default_rng(0)
    coarse = noise.integers(0, 190, (height // 16 + 1, width // 16 + 1), np.uint8)
    image = np.kron(coarse, np.ones((16, 16), np.uint8))[:height, :width]
    tifffile.imwrite(
        path, image + noise.integers(0, 64, image.shape, np.uint8), tile=(512, 512), compression="zlib"
    )


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Time by the clock, and by the processor."""
    began = time.perf_counter(), time.process_time()
    work()
    return np.subtract((time.perf_counter(), time.process_time()), began)


def measure(folder: Path, tile: int, overlap: int, height: int, width: int) -> None:
    """Predict one slide in this process, and print batches, times and extra MiB."""
    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    from specs import segmenter

    from kerasseg.inference.forward import forward
    from kerasseg.inference.large_image import Output, segment
    from kerasseg.inference.tiling import Tiling
    from kerasseg.recipe.models import Unet

    answer = forward(Unet(**UNET).build((None, None, 1), 1))
    tiles = len(Tiling((height, width), tile, overlap, 16))
    batches = math.ceil(tiles / (PIXELS // tile**2))
    batch = np.random.default_rng(0).random((math.ceil(tiles / batches), tile, tile, 1), np.float32)

    tiles = {"tile": tile, "overlap": overlap, "batch_size": len(batch)}
    slide = segmenter(answer, tiles, stride=(16, 16))

    def whole() -> None:
        segment(folder / "slide.tif", folder / f"{tile}.ome.tif", slide, Output("mask", "tiff"))

    def bare() -> None:
        for _ in range(batches):
            answer(batch)

    answer(batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first, middle, last = seconds(bare), seconds(whole), seconds(bare)
    extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    ratios = middle / np.mean([first, last], axis=0)
    print(json.dumps([batches, middle[0], *ratios, extra]))


def apart(*arguments: object) -> str:
    """Run this program in a process of its own; it begins with the peak memory of the one that starts it."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    """Predict slides of all heights in all settings, and print a line for each."""
    if len(sys.argv) > 2:
        task, folder, *numbers = sys.argv[1:]
        return {"make": make, "measure": measure}[task](Path(folder), *map(int, numbers))
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="a slide of 10231 x 7162 pixels")
    height, width = SIZES[arguments.parse_args().full]
    print("{:>5}{:>9}{:>14}{:>9}{:>8}{:>8}{:>8}{:>11}".format(*HEADINGS))
    for tile, overlap in SETTINGS:
        for part in PARTS:
            with tempfile.TemporaryDirectory() as folder:
                apart("make", f"{folder}/slide.tif", height // part, width)
                found = apart("measure", folder, tile, overlap, height // part, width)
            batches, *numbers = json.loads(found.splitlines()[-1])
            row = (tile, overlap, f"{width} x {height // part}", batches, *numbers)
            print("{:5}{:9}{:>14}{:9}{:8.1f}{:8.2f}{:8.2f}{:11.0f}".format(*row), flush=True)


if __name__ == "__main__":
    main()
