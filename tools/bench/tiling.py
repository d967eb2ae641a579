"""Time and memory of cutting a slice into tiles and merging them, the model being the identity.

    OMP_NUM_THREADS=1 python tools/bench/tiling.py

A 10231 x 7162 float32 image goes through kerasseg, through a bare loop of numpy slices, and through MONAI's
sliding window and `tiler` where they are installed. Every case runs in a process of its own, so that its peak
memory is its own, and the cases take turns, so that a busy machine slows all of them. Times are the
processor's, of all threads; they are medians, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

SHAPE = (7162, 10231)
ROUNDS = 4
BATCH = 8
SETTINGS = [(128, 4), (512, 64)]  # tile, overlap per side


def kerasseg(blend: str) -> Callable:
    """Predict with kerasseg's own tiles."""
    from kerasseg.inference.backends import Backend
    from kerasseg.inference.tiled import predict
    from kerasseg.spec import TilingSettings

    def run(image: np.ndarray, tile: int, overlap: int) -> np.ndarray:
        settings = TilingSettings(tile, overlap, blend, padding="inside", tta="none", batch_size=BATCH)
        return predict(image, Backend(lambda batch: batch), settings, stride=1)

    return run


def bare(image: np.ndarray, tile: int, overlap: int) -> np.ndarray:
    """Cut into one reused batch and write the cores, with nothing around it."""
    step = tile - 2 * overlap
    ends = [length - tile for length in image.shape[:2]]
    corners = [
        (min(y, ends[0]), min(x, ends[1]))
        for y in range(0, ends[0] + step, step)
        for x in range(0, ends[1] + step, step)
    ]
    merged, batch = np.empty_like(image), np.empty((BATCH, tile, tile, 1), np.float32)
    for at in range(0, len(corners), BATCH):
        some = corners[at : at + BATCH]
        for place, (y, x) in zip(batch, some, strict=False):
            place[...] = image[y : y + tile, x : x + tile]
        for place, (y, x) in zip(batch, some, strict=False):
            top, left = y and overlap, x and overlap
            bottom, right = tile - (y < ends[0] and overlap), tile - (x < ends[1] and overlap)
            merged[y + top : y + bottom, x + left : x + right] = place[top:bottom, left:right]
    return merged


def monai(image: np.ndarray, tile: int, overlap: int) -> np.ndarray:
    """MONAI's sliding window with its Gaussian; its overlap is what neighbours share."""
    import torch
    from monai.inferers import sliding_window_inference

    volume = torch.from_numpy(image[None, None, ..., 0])
    merged = sliding_window_inference(
        volume, tile, BATCH, lambda batch: batch, 2 * overlap / tile, "gaussian"
    )
    return merged[0, 0].numpy()[..., None]


def tiler(image: np.ndarray, tile: int, overlap: int) -> np.ndarray:
    """The package `tiler` with its Hann window, which is 0 on the outermost pixels: hence its error there."""
    from tiler import Merger, Tiler

    cutter = Tiler(image.shape, (tile, tile, 1), overlap=(2 * overlap, 2 * overlap, 0), channel_dimension=2)
    merger = Merger(cutter, window="hann")
    for number, batch in cutter(image, batch_size=BATCH):
        merger.add_batch(number, BATCH, batch)
    return merger.merge(dtype=np.float32)


PEERS = {"monai": monai, "tiler": tiler}
CASES = {
    "bare numpy": bare,
    **{f"kerasseg {blend}": kerasseg(blend) for blend in ("crop", "hann", "gaussian", "constant")},
}
CASES |= {name: run for name, run in PEERS.items() if importlib.util.find_spec(name)}
JUDGES = [name for name in ("bare numpy", "monai") if name in CASES]


def measure(case: str, tile: int, overlap: int) -> None:
    """Run one case in this process and print its nanoseconds a pixel, extra bytes and largest error."""
    image = np.random.default_rng(0).random((*SHAPE, 1), dtype=np.float32)
    CASES[case](image[: 2 * tile, : 2 * tile], tile, overlap)  # imports done, pages of code touched
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    merged = CASES[case](image, tile, overlap)
    seconds = time.process_time() - started
    extra = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    error = float(np.abs(merged[::7] - image[::7]).max())
    print(json.dumps([seconds / image.size * 1e9, extra / 1024, error]))


def measured_apart(case: str, tile: int, overlap: int) -> list[float]:
    """Run one case in a process of its own."""
    command = [sys.executable, __file__, case, str(tile), str(overlap)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def table(tile: int, overlap: int) -> None:
    """Measure all cases in turns and print one line for each."""
    rounds = [{case: measured_apart(case, tile, overlap) for case in CASES} for _ in range(ROUNDS)]
    for case in CASES:
        times, extra, error = zip(*(each[case] for each in rounds), strict=True)
        ratios = "".join(f"{_ratio(rounds, case, judge):10.2f}" for judge in JUDGES)
        numbers = f"{statistics.median(times):9.2f}{ratios}{max(extra):12.0f}{max(error):12.1e}"
        print(f"{tile:5}{overlap:9}  {case:20}{numbers}")


def _ratio(rounds: list[dict[str, list[float]]], case: str, judge: str) -> float:
    return statistics.median(each[case][0] / each[judge][0] for each in rounds)


def main() -> None:
    if len(sys.argv) > 1:
        return measure(sys.argv[1], *map(int, sys.argv[2:]))
    output = np.prod(SHAPE) * 4 / 2**20
    print(f"{SHAPE[1]} x {SHAPE[0]} float32, identity model; the output alone takes {output:.0f} MiB")
    to = "".join(f"{'to ' + judge.split()[0]:>10}" for judge in JUDGES)
    print(f"{'tile':>5}{'overlap':>9}  {'case':20}{'ns/pixel':>9}{to}{'extra MiB':>12}{'error':>12}")
    for tile, overlap in SETTINGS:
        table(tile, overlap)
    for name in PEERS.keys() - CASES.keys():
        print(f"{name} is not installed: not measured")


if __name__ == "__main__":
    main()
