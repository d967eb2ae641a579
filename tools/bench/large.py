"""Data larger than memory: what a training on them takes, and patches a second against torch's DataLoader.

    python tools/bench/large.py --side 40000 --volume 2000

A slide of so many pixels a side (colour, tiles of 512, Deflate) and its mask, and a volume of so many voxels
a side (Zarr, chunks of 64, most of them empty) and its mask are written into --folder, once. Then each is
learnt from by `kerasseg run` in a process of its own, whose memory is looked at ten times a second: the
largest is told for each of its phases. And patches are cut at random out of both, by ours
and, where torch is installed, by a Dataset over tifffile's Zarr view, or over Zarr, in a DataLoader.
Contenders take turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Thread

import numpy as np
import tifffile
import yaml
import zarr
from rich.table import Table

from kerasseg.console import console
from kerasseg.data.batches import TrainingBatches
from kerasseg.data.pipeline import Feed
from kerasseg.data.sample import Sample
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.recipe.sources import ImagesMasks, Volumes
from kerasseg.synthetic.cells import phase_contrast

TILE, CHUNK, DRAWN, EVERY = 512, 64, 8, 9  # one tile or chunk in nine is not empty
WHITE = 240  # of a slide where there is no tissue
BATCH, WORKERS = 4, 2
PAUSE = 0.1  # seconds between two looks at a run's memory
SEEDS = {"slide": 4, "volume": 0}  # by which the small ones are watched
CHANNELS = {"slide": 3, "volume": 1}
PATCHES = {"slide": (256, 256), "volume": (32, 64, 64)}
TILES = {"slide": 256, "volume": 64}  # of predictions
EPOCHS = 2
PHASES = {
    "looking at the mask": "mask: the numbers in it",
    "reading image and annotation": "image and mask: what they hold",
    "measuring intensities": "image: percentiles",
    "looking for what is annotated": "mask: where foreground lies",
    f"epoch {EPOCHS}/{EPOCHS}  loss": "scoring the test image",
    "epoch": "learning",
    "measuring the model's cost": "cost, OpenVINO and report",
}  # by what a run says


def write_slides(root: Path, side: int) -> None:
    """Write a large slide to learn from and two small ones, and their masks, tile by tile."""
    drawn = [phase_contrast((TILE, TILE), np.random.default_rng(number)) for number in range(DRAWN)]
    empty = np.full((TILE, TILE, 3), WHITE, np.uint8), np.zeros((TILE, TILE), np.uint8)
    cells = [(np.repeat(image.reshape(TILE, TILE, 1), 3, axis=-1), (labels > 0).astype(np.uint8))
             for image, labels in drawn]  # fmt: skip

    def tiles(which: int, across: int) -> Iterator[np.ndarray]:
        for number in range(across**2):
            yield (cells[number % DRAWN] if number % EVERY == 0 else empty)[which]

    for name, length in (("train", side), ("watched", 2 * TILE), ("test", 3 * TILE)):
        across = -(-length // TILE)
        options = {"tile": (TILE, TILE), "compression": "zlib", "dtype": np.uint8, "bigtiff": True}
        for which, folder in enumerate(("images", "masks")):
            path = root / folder / name / "slide.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (length, length, 3)[: 3 - which]
            colour = "minisblack" if which else "rgb"
            tifffile.imwrite(path, tiles(which, across), shape=shape, photometric=colour, **options)


def write_volumes(root: Path, side: int) -> None:
    """Write a large volume to learn from and two small ones, and their masks, of which few chunks exist."""
    rng = np.random.default_rng(0)
    ball = np.linalg.norm(np.indices((CHUNK,) * 3) - CHUNK / 2, axis=0) < CHUNK / 3
    image = (rng.integers(0, 90, ball.shape) + 120 * ball).astype(np.uint8)
    for name, length in (("train", side), ("watched", 2 * CHUNK), ("test", 3 * CHUNK)):
        for folder, block in (("images", image), ("masks", ball.astype(np.uint8))):
            path = root / folder / name / "volume.zarr"
            array = zarr.create_array(
                path, shape=(length,) * 3, chunks=ball.shape, dtype=np.uint8, dimension_names=("z", "y", "x")
            )
            corners = itertools.product(range(0, length - CHUNK + 1, CHUNK), repeat=3)
            for corner in itertools.islice(corners, 0, None, EVERY * EVERY if length > 3 * CHUNK else EVERY):
                array[tuple(slice(start, start + CHUNK) for start in corner)] = block


def recipe(kind: str, root: Path) -> dict:
    """Say what is learnt: a small U-Net, a few steps; watched and tested are small ones."""
    source, size = ("images_masks", PATCHES[kind][0]) if kind == "slide" else ("volumes", PATCHES[kind])
    return {
        "name": kind,
        "seed": SEEDS[kind],
        "data": {
            "source": {source: {"root": str(root)}},
            "classes": ["cell"],
            "channels": CHANNELS[kind],
            "normalise": "percentile",
            "patch": {"size": size if kind == "slide" else list(size), "foreground": 0.7},
            "split": {"test_where": {"folder": "images/test"}, "validation": 0.5},
        },
        "model": {"unet": {"encoder": "plain", "levels": 3, "base_filters": 8, "attention": False}},
        "train": {"epochs": EPOCHS, "steps_per_epoch": 10, "batch_size": BATCH},
        "predict": {"tile": TILES[kind], "overlap": 8},
        "export": {"saved_model": False},
    }


@dataclass
class Phase:
    """What a run does, since when, for how long, and its largest memory meanwhile in GiB."""

    name: str
    began: float
    seconds: float = 0.0
    peak: float = 0.0


def run(kind: str, root: Path) -> list[Phase]:
    """Train in a process of its own, and look at its memory meanwhile."""
    path = root / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(kind, root)))
    command = [sys.executable, "-c", "from kerasseg.cli import main; main()", "run", str(path)]
    command += ["--directory", str(root / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    phases = [Phase("imports, and list of files", time.monotonic())]
    listening = Thread(target=listen, args=(process.stdout, phases))
    listening.start()
    while process.poll() is None:
        phases[-1].peak = max(phases[-1].peak, resident(process.pid))
        time.sleep(PAUSE)
    listening.join()
    if process.returncode:
        raise SystemExit(f"{kind}: the run failed")
    for phase, then in itertools.pairwise([*phases, Phase("", time.monotonic())]):
        phase.seconds = then.began - phase.began
    return phases


def listen(lines: Iterable[str], phases: list[Phase]) -> None:
    """Begin a phase whenever a line tells of another one, which long ones do after five seconds."""
    for line in lines:
        print(line, end="", flush=True)
        name = next((name for said, name in PHASES.items() if said in line), phases[-1].name)
        if name != phases[-1].name:
            phases.append(Phase(name, time.monotonic()))


def resident(process: int) -> float:
    """Give the memory in GiB that a process holds, 0 where it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (FileNotFoundError, IndexError, ProcessLookupError):
        return 0.0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**30


def tell(kind: str, phases: list[Phase]) -> None:
    """Print how long the phases took and what memory they needed, and of the whole run."""
    table = Table("", "s", "GiB at most", title=f"{kind}: memory of a run")
    whole = Phase("all", 0, sum(phase.seconds for phase in phases), max(phase.peak for phase in phases))
    for phase in (*phases, whole):
        table.add_row(phase.name, f"{phase.seconds:.1f}", f"{phase.peak:.2f}")
    console.print(table)


def samples(kind: str, root: Path) -> list[Sample]:
    """List the large one alone."""
    source = ImagesMasks(root=root) if kind == "slide" else Volumes(root=root)
    return [sample for sample in source.build(classes=["cell"]) if sample.name.startswith("train")]


def ours(kind: str, root: Path) -> Callable[[], Iterable]:
    """Our pipeline, patches anywhere."""
    batches = TrainingBatches(
        samples(kind, root),
        class_ids=range(1, 2),
        preprocessing=Preprocessing(CHANNELS[kind], Dtype(), None),
        patch={"size": PATCHES[kind]},
        batch_size=BATCH,
        multiple_of=8,
        augment=(),
        seed=0,
    )
    batches.look_through()
    return lambda: Feed(batches).dataset()


class Patches:
    """What a torch user writes: patches at random places of Zarr arrays, or of TIFFs seen as such."""

    def __init__(self, kind: str, root: Path) -> None:
        name = "slide.tif" if kind == "slide" else "volume.zarr"
        self.paths = [root / folder / "train" / name for folder in ("images", "masks")]
        self.size = PATCHES[kind]

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        image, mask = map(opened, self.paths)
        rng = np.random.default_rng(index)
        room = [side - length for side, length in zip(mask.shape, self.size, strict=True)]
        starts = [int(rng.integers(most + 1)) for most in room]
        region = tuple(slice(start, start + side) for start, side in zip(starts, self.size, strict=True))
        pixels = np.asarray(image[region], np.float32) / 255
        channels_first = np.moveaxis(pixels, -1, 0) if image.ndim > mask.ndim else pixels[np.newaxis]
        return np.ascontiguousarray(channels_first), np.asarray(mask[region])


@cache
def opened(path: Path) -> zarr.Array:
    """Open an array once in each worker."""
    return zarr.open(tifffile.imread(path, aszarr=True) if path.suffix == ".tif" else path, mode="r")


def torchs(kind: str, root: Path) -> Callable[[], Iterable]:
    """torch's DataLoader."""
    from torch.utils.data import DataLoader

    return lambda: DataLoader(Patches(kind, root), BATCH, num_workers=WORKERS)


def rate(loader: Callable[[], Iterable], batches: int) -> tuple[float, float]:
    """Count patches a second of the clock, and of processor time, workers included; after a few batches."""
    taken = iter(loader())
    for _ in itertools.islice(taken, BATCH):
        pass
    began, used = time.perf_counter(), os.times()
    for _ in itertools.islice(taken, batches):
        pass
    seconds = time.perf_counter() - began
    del taken  # ends workers, whose time is counted then
    now = os.times()
    return batches * BATCH / seconds, batches * BATCH / (sum(now[:4]) - sum(used[:4]))


def compare(kind: str, root: Path, batches: int, rounds: int) -> None:
    """Let ours and torch's take turns, and print medians and the median of ratios."""
    loaders = {"kerasseg": ours(kind, root)}
    if importlib.util.find_spec("torch"):
        loaders["torch"] = torchs(kind, root)
    rates = {name: [] for name in loaders}
    for _, (name, loader) in itertools.product(range(rounds), loaders.items()):
        rates[name].append(rate(loader, batches))
    table = Table(title=f"{kind}: patches of {' x '.join(map(str, PATCHES[kind]))}, batches of {BATCH}")
    for heading in ("", "patches/s", "patches/s of processor time", "ratio to torch"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, measured in rates.items():
        found = np.array(measured)
        ratios = np.median(found / np.array(rates.get("torch", measured)), axis=0)
        table.add_row(
            name, *(f"{value:.1f}" for value in np.median(found, axis=0)), f"{ratios[0]:.2f}, {ratios[1]:.2f}"
        )
    console.print(table)


def main() -> None:
    """Write what is missing, train, compare."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--folder", type=Path, default=Path("large"), help="where data and runs lie")
    options.add_argument("--side", type=int, default=40_000, help="pixels a side of the slide")
    options.add_argument("--volume", type=int, default=2_000, help="voxels a side of the volume")
    options.add_argument("--kinds", nargs="+", choices=list(PATCHES), default=list(PATCHES))
    options.add_argument("--batches", type=int, default=40)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=["train", "compare"])
    given = options.parse_args()
    writers = {
        "slide": partial(write_slides, side=given.side),
        "volume": partial(write_volumes, side=given.volume),
    }
    for kind in given.kinds:
        root = given.folder / kind
        if not root.exists():
            writers[kind](root)
        if given.only != "compare":
            tell(kind, run(kind, root))
        if given.only != "train":
            compare(kind, root, given.batches, given.rounds)


if __name__ == "__main__":
    main()
