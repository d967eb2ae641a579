"""Time of predicting one image on 1, 2 and 4 Dask workers of this machine, and with one of them killed.

    python tools/bench/cluster.py runs/cells/1 slide.tif

Each worker is a process of one thread, as is the prediction without a cluster, which comes first and whose
bytes all others must have. Workers load the model when they are first asked, so each cluster answers twice,
and the second answer is timed; there a worker is killed, and the one in its place loads the model again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from distributed import LocalCluster
from rich.table import Table

from kerasseg.commands.predict import predict
from kerasseg.console import console, say
from kerasseg.segmenter import Segmenter

ONE_THREAD = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")} | {"OMP_NUM_THREADS": "1"}
AFTER = 0.3  # of the time that two workers take, a worker is killed


def answered(run: Path, image: Path, scheduler: str | None) -> tuple[float, str]:
    """Predict once: seconds, and a digest of the probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        predict(Segmenter.load(run), image, Path(folder), what="probabilities", scheduler=scheduler)
        seconds = time.perf_counter() - began
        (result,) = Path(folder).glob("*.probabilities*")
        return seconds, hashlib.sha256(result.read_bytes()).hexdigest()


def cluster(workers: int) -> LocalCluster:
    """Start workers, each a process of one thread."""
    return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("run", type=Path)
    options.add_argument("image", type=Path)
    given = options.parse_args()
    os.environ.update(ONE_THREAD)
    run, image = given.run.resolve(), given.image.resolve()
    answered(run, image, None)  # loads TensorFlow
    rows = {"no cluster": answered(run, image, None)}
    for workers, killed in ((1, False), (2, False), (2, True), (4, False)):
        with cluster(workers) as started:
            answered(run, image, started.scheduler_address)
            name = f"{workers} workers" + ", one killed" * killed
            if killed:
                doomed = started.workers[0].pid
                threading.Timer(AFTER * rows["2 workers"][0], os.kill, (doomed, signal.SIGKILL)).start()
            rows[name] = answered(run, image, started.scheduler_address)
            say(f"{name}: {rows[name][0]:.1f} s")
    table = Table(title=f"{image.name}, probabilities; {os.cpu_count()} cores")
    for heading in ("", "s", "same bytes"):
        table.add_column(heading)
    for name, (seconds, digest) in rows.items():
        table.add_row(name, f"{seconds:.1f}", str(digest == rows["no cluster"][1]))
    console.print(table)


if __name__ == "__main__":
    main()
