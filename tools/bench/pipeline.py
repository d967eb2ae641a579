"""Images a second that reach a training step, against torch's DataLoader and against what the step eats.

    python tools/bench/pipeline.py --step 0.2

Images of 520 x 704 pixels and their masks, both PNG, become batches of 8 at 256 x 256, augmented as in the
Sartorius recipe. All contenders take turns in one process; a ratio is the median of the rounds' ratios.
Without torch only our own rows are printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import albumentations
import cv2
import numpy as np
from rich.table import Table

from kerasseg.annotations.masks import write_mask
from kerasseg.console import console
from kerasseg.data.batches import TrainingBatches
from kerasseg.data.pipeline import Feed
from kerasseg.data.sample import Sample
from kerasseg.images import files
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.recipe.sources import ImagesMasks
from kerasseg.synthetic.cells import phase_contrast

SIZE, BATCH, IMAGES, WORKERS = (256, 256), 8, 48, 2
AFFINE = {"scale": (0.8, 1.0), "translate_percent": (-0.1, 0.1)}
CHAIN = [{"HorizontalFlip": {"p": 0.5}}, {"VerticalFlip": {"p": 0.5}}, {"Affine": AFFINE}]

Loaders = Mapping[str, Callable[[], Iterable]]


def samples(root: Path) -> list[Sample]:
    """Write images and masks, and list them."""
    for at in range(IMAGES):
        image, labels = phase_contrast((520, 704), np.random.default_rng(at))
        files.write(root / "images" / f"{at}.png", image)
        write_mask(root / "masks" / f"{at}.png", (labels > 0).astype(np.uint8))
    return ImagesMasks(root=root).build(classes=["cell"])


def ours(found: list[Sample]) -> Loaders:
    """Our pipeline, with prepared samples in memory and without."""
    arguments = {
        "class_ids": range(1, 2),
        "preprocessing": Preprocessing(3, Dtype(), SIZE),
        "patch": None,
        "batch_size": BATCH,
        "multiple_of": 32,
        "augment": CHAIN,
        "seed": 0,
    }
    cached = TrainingBatches(found, **arguments)
    uncached = TrainingBatches(found, **arguments, budget=0)
    for at in range(len(cached)):
        cached.batch(at)
    return {
        "kerasseg, cached": lambda: Feed(cached).dataset(),
        "kerasseg, uncached": lambda: Feed(uncached).dataset(),
    }


class Files:
    """What a torch user writes: a dataset of pairs, read and resized each time or once."""

    def __init__(self, found: list[Sample], cached: bool) -> None:
        self.pairs = [(str(s.image), str(s.image.parents[1] / "masks" / s.image.name)) for s in found]
        self.kept = [self._read(pair) for pair in self.pairs] if cached else None
        self.augment = albumentations.Compose(
            [getattr(albumentations, name)(**given) for entry in CHAIN for name, given in entry.items()]
        )

    def __len__(self) -> int:
        return len(self.pairs) * 1000

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        at = index % len(self.pairs)
        image, mask = self.kept[at] if self.kept else self._read(self.pairs[at])
        changed = self.augment(image=image, mask=mask)
        return changed["image"].transpose(2, 0, 1).astype(np.float32) / 255, changed["mask"]

    def _read(self, pair: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
        image, mask = cv2.imread(pair[0]), cv2.imread(pair[1], cv2.IMREAD_GRAYSCALE)
        return (
            cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA),
            cv2.resize(mask, SIZE, interpolation=cv2.INTER_NEAREST),
        )


def torchs(found: list[Sample]) -> Loaders:
    """torch's DataLoader, where torch is installed."""
    if importlib.util.find_spec("torch") is None:
        console.print("torch is not installed: pip install torch to compare with its DataLoader")
        return {}
    from torch.utils.data import DataLoader

    def load(cached: bool) -> Callable[[], Iterable]:
        data = Files(found, cached)
        return lambda: DataLoader(data, BATCH, shuffle=True, num_workers=WORKERS)

    return {"torch, uncached": load(cached=False), "torch, cached": load(cached=True)}


def rate(loader: Callable[[], Iterable], batches: int) -> float:
    """Count images a second, after the first batches, which wait for workers to start."""
    taken: Iterator = iter(loader())
    for _ in itertools.islice(taken, BATCH):
        pass
    began = time.perf_counter()
    for _ in itertools.islice(taken, batches):
        pass
    return batches * BATCH / (time.perf_counter() - began)


def main() -> None:
    """Measure in turns and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--step", type=float, default=0.2, help="seconds a training step takes for an image")
    options.add_argument("--batches", type=int, default=60, help="batches in a round")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = samples(Path(folder))
        loaders = {**ours(found), **torchs(found)}
        rates = {name: [] for name in loaders}
        for _, (name, loader) in itertools.product(range(given.rounds), loaders.items()):
            rates[name].append(rate(loader, given.batches))
    show({name: np.array(found) for name, found in rates.items()}, given.step)


def show(rates: Mapping[str, np.ndarray], step: float) -> None:
    """Print medians and ratios."""
    table = Table(title=f"520 x 704 PNG and mask to {SIZE[0]} x {SIZE[1]}, augmented, batches of {BATCH}")
    for heading in ("pipeline", "images/s", "to torch, uncached", f"to a step of {step:g} s/image"):
        table.add_column(heading, justify="left" if heading == "pipeline" else "right")
    for name, found in rates.items():
        peer = rates.get("torch, uncached")
        ratio = "-" if peer is None else f"{np.median(found / peer):.2f}"
        table.add_row(name, f"{np.median(found):.0f}", ratio, f"{np.median(found) * step:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
