"""Kill kerasseg at random moments, go on each time, and compare what comes out with an undisturbed run.

    python tools/kill_test.py                    # 100 kills; takes tens of minutes on two cores
    python tools/kill_test.py --kills 10 --seed 3

Each job is done once undisturbed. Then it is begun in an empty folder, killed (SIGKILL) at a moment drawn
from the time that it takes, repeated and killed again, and after a few kills left alone to finish. Its
results must be the same bytes, and no hidden file may be left. Prints a table; exits with 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

KILLS_IN_A_ROW = 3
RECIPE = """
name: tiny
seed: 1
data:
  source: {sartorius: {root: cells}}
  classes: [cell]
  channels: 1
  normalise: dtype
  split: {train: 0.75, test: 0.25, validation: 0.2}
model: {unet: {encoder: plain, base_filters: 4, attention: false}}
loss: {combo: {alpha: 0.5, beta: 0.5}}
train: {epochs: 3, batch_size: 2, steps_per_epoch: 2, optimizer: {adam: {}}, devices: cpu}
predict: {tile: 64, overlap: 8, blend: hann}
export: {saved_model: false}
"""
LABEL = """
label:
  slide: slide.tif
  tile: 64
  margin: 4
  embed: {intensity: {}}
  clusters: 3
"""
CURATE = RECIPE.replace("{sartorius: {root: cells}}", "{queue: {root: OUT/slide}}") + LABEL


@dataclass(frozen=True)
class Job:
    """Commands that write into a folder OUT, what of it is compared, and their share of the kills.

    Where `resumes` names a file, an option goes on from there instead of starting over.
    """

    name: str
    commands: tuple[str, ...]
    results: tuple[str, ...]
    share: float
    resumes: tuple[str, str] = ("", "")


JOBS = [
    Job("prediction", ("predict runs/tiny/1 image.tif OUT --what labels --to tiff",), ("*",), 0.35),
    Job("conversion", ("convert labels geojson labels OUT --classes cell --overwrite",), ("*",), 0.3),
    Job(
        "labelling",
        tuple(f"label {step} OUT.yaml" for step in ("crop", "embed", "cluster")),
        ("slide/*.csv", "slide/tiles/*", "slide/embeddings.npy"),
        0.15,
    ),
    Job("nuclei", ("extract discs OUT --diameter 40 --crop 64",), ("**/*",), 0.05),
    Job("export", ("export runs/tiny/1 OUT",), ("1/variables/*",), 0.05),
    Job(
        "training",
        ("run tiny.yaml --directory OUT",),
        ("tiny/1/predictions/*.png", "tiny/1/split.csv"),
        0.1,
        ("tiny/1", "--resume"),
    ),
]


def kerasseg(command: str, folder: Path) -> subprocess.Popen:
    words = [sys.executable, "-c", "from kerasseg.cli import main; main()", *command.split()]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def do(job: Job, out: str, folder: Path, seconds: float | None = None) -> bool:
    """Do a job, killed after so many seconds if there are any; tell whether it came to its end."""
    (folder / f"{out}.yaml").write_text(CURATE.replace("OUT", out))
    begun, option = job.resumes
    last = time.monotonic() + (seconds or 600)
    for command in job.commands:
        more = f" {option}" if begun and (folder / out / begun).exists() else ""
        if more and '"finished"' in _text(folder / out / begun / "status.json"):
            return True  # it was killed when all was done
        process = kerasseg(command.replace("OUT", out) + more, folder)
        try:
            _, said = process.communicate(timeout=max(0, last - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return False
        if process.returncode:
            sys.exit(f"{job.name}: {command}{more} ended with {process.returncode}:\n{said.decode()}")
    return True


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def results(job: Job, root: Path) -> dict[str, bytes]:
    files = sorted(path for pattern in job.results for path in root.glob(pattern) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def judge(job: Job, kills: int, folder: Path, rng: np.random.Generator) -> tuple[int, int, list[str]]:
    """Kill a job so often; give the kills, how many attempts ended otherwise, and what was left behind."""
    began = time.monotonic()
    do(job, f"{job.name}-whole", folder)
    takes, expected = time.monotonic() - began, results(job, folder / f"{job.name}-whole")
    assert expected, f"{job.name}: nothing was written"
    killed, wrong, left, attempt = 0, 0, [], 0
    while killed < kills:
        attempt += 1
        out = f"{job.name}-{attempt}"
        for _ in range(min(KILLS_IN_A_ROW, kills - killed)):
            killed += not do(job, out, folder, rng.uniform(0.2, 1) * takes)
        do(job, out, folder)
        found = {
            name: data.replace(out.encode(), f"{job.name}-whole".encode())
            for name, data in results(job, folder / out).items()
        }
        wrong += found != expected
        left += [str(path) for path in (folder / out).rglob(".*") if path.name != ".gitattributes"]
        shutil.rmtree(folder / out)
    return killed, wrong, left


def prepare(folder: Path) -> None:
    """Draw images and labels, and train a tiny model."""
    rng = np.random.default_rng(0)
    (folder / "tiny.yaml").write_text(RECIPE)
    tifffile.imwrite(folder / "image.tif", rng.integers(0, 256, (2000, 1500), np.uint8))
    tifffile.imwrite(folder / "slide.tif", rng.integers(0, 256, (1200, 1200), np.uint8))
    (folder / "labels").mkdir()
    (folder / "discs").mkdir()
    for number in range(12):
        dots = np.kron(rng.permutation(900).reshape(30, 30), np.pad(np.ones((8, 8), int), 1))
        tifffile.imwrite(folder / "labels" / f"{number}.tif", dots.astype(np.int32))
    ys, xs = np.indices((400, 400))
    for number in range(30):
        disc = (np.hypot((ys - number) % 100 - 50, xs % 100 - 50) <= 20) * np.uint8(100)
        tifffile.imwrite(folder / "discs" / f"{number}.tif", disc + rng.integers(0, 90, disc.shape, np.uint8))
    for command in ("data synthesize cells cells --images 8 --size 96 96", "run tiny.yaml"):
        process = kerasseg(command, folder)
        if said := process.communicate()[1] if process.wait() else b"":
            sys.exit(said.decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="*", default=[job.name for job in JOBS])
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    failed, rng = False, np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        print("| job | kills | ended otherwise | left behind | seconds |\n|---|---|---|---|---|")
        for job in JOBS:
            if job.name in options.jobs:
                began, kills = time.monotonic(), max(1, round(job.share * options.kills))
                kills, wrong, left = judge(job, kills, Path(folder), rng)
                row = (job.name, kills, wrong, ", ".join(left) or 0, round(time.monotonic() - began))
                print("|", " | ".join(map(str, row)), "|", flush=True)
                failed |= bool(wrong or left)
    sys.exit(failed)
