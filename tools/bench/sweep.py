"""One sweep shared by 1, 2 and 4 processes, by a Dask cluster, and with one of them killed: time and table.

    python tools/bench/sweep.py            # or some of its ways: "2 processes" "2 workers, one killed"

Six small networks are trained on discs, each in a process of one thread. All ways must come to one table:
every point once, with the same losses, of which a digest is printed. A kill is SIGKILL of a process that
takes trials, while it trains its second one; the others take that trial again. Processor seconds are those of
everything that was started; of a killed process, what it had used is missing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from distributed import LocalCluster
from rich.table import Table

from kerasseg.console import console, say
from kerasseg.images import files

RECIPE = """
name: discs
data:
  source: {images_masks: {root: data}}
  classes: [disc]
  channels: 1
  split: {train: 0.75, validation: 0.25, test: 0.25}
model: {unet: {encoder: plain, levels: 2, base_filters: 4, attention: false}}
train: {epochs: 3, batch_size: 2}
export: {saved_model: false, openvino: false}
"""
POINTS = ("model.unet.levels=2,3", "model.unet.base_filters=2,3,4")
ONE_THREAD = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")} | {"OMP_NUM_THREADS": "1"}
KERASSEG = (sys.executable, "-c", "from kerasseg.cli import main; main()")
SWEEP = (*KERASSEG, "sweep", "discs.yaml", *POINTS)
LOOK = 0.1  # seconds between two looks at what was begun


@dataclass(frozen=True)
class Swept:
    """What a sweep took, and what it came to."""

    wall: float
    processor: float
    losses: str  # a digest of all points with their losses, as the table has them
    states: list[str]
    begun: int  # trainings


def prepare(folder: Path) -> None:
    """Write the recipe, and images of discs with their masks."""
    rng = np.random.default_rng(0)
    for number in range(16):
        mask = np.zeros((64, 64), np.uint8)
        for x, y in rng.integers(0, 64, (4, 2)).tolist():
            cv2.circle(mask, (x, y), 8, 1, -1)
        image = (mask * 120 + rng.integers(0, 80, mask.shape)).astype(np.uint8)
        files.write(folder / "data" / "images" / f"{number}.png", image)
        files.write(folder / "data" / "masks" / f"{number}.png", mask)
    (folder / "discs.yaml").write_text(RECIPE)


def by_processes(folder: Path, count: int, killed: bool) -> None:
    """Type the command in so many terminals, and kill the first one's process."""
    with (folder / "said.txt").open("w") as said:
        processes = [subprocess.Popen(SWEEP, cwd=folder, stdout=said, stderr=said) for _ in range(count)]
        if killed:
            wait_for(lambda: trainings(folder) >= 2 * count)
            processes[0].send_signal(signal.SIGKILL)
        codes = [process.wait() for process in processes]
    if any(codes[killed:]):
        raise RuntimeError((folder / "said.txt").read_text())


def by_dask(folder: Path, count: int, killed: bool) -> None:
    """Let the workers of a cluster take trials, and kill the first one's process."""
    threads = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**threads) as cluster, (folder / "said.txt").open("w") as said:
        command = (*SWEEP, "--dask", cluster.scheduler_address)
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        if killed:
            wait_for(lambda: trainings(folder) >= 2 * count)
            os.kill(cluster.workers[0].pid, signal.SIGKILL)
        if process.wait():
            raise RuntimeError((folder / "said.txt").read_text())


WAYS: dict[str, tuple[Callable[[Path, int, bool], None], int, bool]] = {
    "1 process": (by_processes, 1, False),
    "2 processes": (by_processes, 2, False),
    "2 processes, one killed": (by_processes, 2, True),
    "4 processes": (by_processes, 4, False),
    "2 workers": (by_dask, 2, False),
    "2 workers, one killed": (by_dask, 2, True),
}


def trainings(folder: Path) -> int:
    """Count the trainings that were begun."""
    logs = folder.glob("sweeps/discs/trials/*/log.txt")
    return sum(log.read_text(errors="replace").count("computing on") for log in logs)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not is_so():
        time.sleep(LOOK)


def swept(way: str) -> Swept:
    """Sweep in a folder of its own."""
    sweep, count, killed = WAYS[way]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        began, used = time.perf_counter(), processor_seconds()
        sweep(folder, count, killed)
        seconds, used = time.perf_counter() - began, processor_seconds() - used
        with (folder / "sweeps/discs/table.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        losses = sorted((row["levels"], row["base_filters"], row["val_loss"]) for row in rows)
        digest = hashlib.sha256(repr(losses).encode()).hexdigest()[:8]
        return Swept(seconds, used, digest, [row["state"] for row in rows], trainings(folder))


def processor_seconds() -> float:
    """Sum what all processes have used that were started here and have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("ways", nargs="*", help=f"of {', '.join(WAYS)}; all by default")
    given = options.parse_args(arguments)
    os.environ.update(ONE_THREAD)
    rows = {}
    for way in given.ways or WAYS:
        rows[way] = swept(way)
        say(f"{way}: {rows[way].wall:.1f} s")
    table = Table(title=f"{os.cpu_count()} cores")
    for heading in ("", "s", "processor s", "trials", "complete", "begun", "losses"):
        table.add_column(heading)
    for way, row in rows.items():
        counts = (len(row.states), row.states.count("complete"), row.begun)
        table.add_row(way, f"{row.wall:.1f}", f"{row.processor:.1f}", *map(str, counts), row.losses)
    console.print(table)


if __name__ == "__main__":
    main()
