"""Time of predicting one image on 1, 2 and 4 Dask workers of this machine, and with one of them killed.

    python tools/bench/cluster.py runs/cells/1 slide.tif        # or a shipped model: nuclei-2d slide.tif

Each worker is a process of one thread, as is the prediction without a cluster, which comes first and whose
bytes all others must have. All have loaded the model before time is taken; only the worker that comes in
the place of the killed one loads it within that. Processor seconds are those of all processes, but of the
killed one only what it had used by its end; beyond as many workers as there are cores none can be faster.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from distributed import Client, LocalCluster
from rich.table import Table

from kerasseg.commands.predict import predict
from kerasseg.console import console, say
from kerasseg.segmenter import Segmenter

ONE_THREAD = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")} | {"OMP_NUM_THREADS": "1"}
AFTER = 0.3  # of the time that two workers take, a worker is killed


@dataclass(frozen=True)
class Answer:
    """What one prediction took, and a digest of its probabilities."""

    wall: float
    processor: float
    digest: str


def answered(
    segmenter: Segmenter, image: Path, cluster: LocalCluster | None = None, killed_after: float | None = None
) -> Answer:
    """Predict once, after all who compute have loaded the model; after so many seconds a worker is killed."""
    scheduler = cluster.scheduler_address if cluster else None
    load(segmenter, scheduler)
    with tempfile.TemporaryDirectory() as folder:
        if killed_after is not None:
            threading.Timer(killed_after, os.kill, (cluster.workers[0].pid, signal.SIGKILL)).start()
        began, used = time.perf_counter(), processor_seconds()
        predict(segmenter, image, Path(folder), what="probabilities", scheduler=scheduler)
        seconds, used = time.perf_counter() - began, processor_seconds() - used
        (result,) = Path(folder).glob("*.probabilities*")
        return Answer(seconds, used, hashlib.sha256(result.read_bytes()).hexdigest())


def load(segmenter: Segmenter, scheduler: str | None) -> None:
    """Let this process, or each worker, answer for one batch."""
    tile = (segmenter.tiling.tile,) * segmenter.spec.rank
    batch = np.zeros((segmenter.tiling.batch_size, *tile, segmenter.spec.channels), np.float32)
    if scheduler is None:
        segmenter.backend.forward(batch)
    else:
        with Client(scheduler, set_as_default=False) as client:
            client.run(segmenter.backend.elsewhere, batch)


def processor_seconds() -> float:
    """Sum what this process and those that it started have used, also those that have ended."""
    own = psutil.Process()
    ended = own.cpu_times()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times) + ended.children_user + ended.children_system


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("run", type=Path)
    options.add_argument("image", type=Path)
    given = options.parse_args()
    os.environ.update(ONE_THREAD)
    segmenter, image = Segmenter.load(given.run, engine="tensorflow"), given.image.resolve()
    rows = {"no cluster": answered(segmenter, image)}
    for workers, killed in ((1, False), (2, False), (2, True), (4, False)):
        name = f"{workers} workers" + ", one killed" * killed
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster:
            after = AFTER * rows["2 workers"].wall if killed else None
            rows[name] = answered(segmenter, image, cluster, after)
        say(f"{name}: {rows[name].wall:.1f} s")
    table = Table(title=f"{image.name}, probabilities; {os.cpu_count()} cores")
    for heading in ("", "s", "processor s", "same bytes"):
        table.add_column(heading)
    for name, row in rows.items():
        same = row.digest == rows["no cluster"].digest
        table.add_row(name, f"{row.wall:.1f}", f"{row.processor:.1f}", str(same))
    console.print(table)


if __name__ == "__main__":
    main()
