"""Train a network of dlsia's for so many processor seconds, and predict the test slices with it.

    PYTHON reproductions/fibsem_dlsia.py '{"network": "tunet", "seconds": 300, ...}'

`fibsem.py` calls it with the interpreter of an environment that has dlsia and torch, and not kerasseg. The
one argument is the JSON of `Task`. The networks are dlsia's with its own defaults, the training is its own
`train_segmentation`. What its user brings is here: random patches, turned and mirrored and of changed
brightness and contrast; the cross-entropy, which leaves ignored pixels out; and Adam, whose rate is divided
by ten midway as in the paper. Unlike in dlsia, the best epoch's weights are kept as a copy, and so are that
epoch's.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from dlsia.core.networks.msdnet import MixedScaleDenseNetwork
from dlsia.core.networks.tunet import TUNet
from dlsia.core.train_scripts import train_segmentation
from PIL import Image

IGNORE = 255


class Task(NamedTuple):
    """What is to be trained, and on what."""

    network: str  # tunet or msdnet
    arguments: dict[str, int]  # of its class
    classes: int  # background included
    seconds: float  # of processor time
    loss: str  # cross_entropy, or combo: kerasseg's
    learning_rate: float
    batch_size: int
    steps_per_epoch: int
    patch: int  # side in pixels
    seed: int
    train: list[list[str]]  # an image and its mask each
    validation: list[list[str]]
    test: list[str]  # images
    out: str  # folder of the predictions


class Patches:
    """An epoch of random patches: batches of images (B, 1, Y, X) float32 and masks (B, 1, Y, X) int64.

    Ignored pixels are -1 in the masks: what dlsia calls its missing label.
    """

    def __init__(self, pairs: list[list[str]], task: Task) -> None:
        self.pairs = [(read(image) / np.float32(255), read(mask).astype(np.int64)) for image, mask in pairs]
        for _, mask in self.pairs:
            mask[mask == IGNORE] = -1
        self.task = task
        self.rng = np.random.default_rng(task.seed)

    def __len__(self) -> int:
        return self.task.steps_per_epoch

    def __iter__(self):
        for _ in range(len(self)):
            images, masks = zip(*(self.patch() for _ in range(self.task.batch_size)), strict=True)
            yield torch.from_numpy(np.stack(images)[:, None]), torch.from_numpy(np.stack(masks)[:, None])

    def patch(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut a patch anywhere, turn and mirror it, and change the brightness of every second one."""
        image, mask = self.pairs[self.rng.integers(len(self.pairs))]
        side, rng = self.task.patch, self.rng
        y, x = (int(rng.integers(size - side + 1)) for size in image.shape)
        image, mask = (each[y : y + side, x : x + side] for each in (image, mask))
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        image, mask = (np.rot90(each, turns) for each in (image, mask))
        if mirrored:
            image, mask = image[:, ::-1], mask[:, ::-1]
        if rng.random() < 0.5:
            image = np.clip(image * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2), 0, 1).astype(np.float32)
        return image.copy(), mask.copy()


class Combo(torch.nn.Module):
    """kerasseg's loss of that name: half the cross-entropy of each class against the rest, and half Dice."""

    def forward(self, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        counted = (masks >= 0).float()[:, None]
        y = torch.nn.functional.one_hot(masks.clamp(0), logits.shape[1]).movedim(-1, 1) * counted
        p = logits.softmax(1).clamp(1e-7, 1 - 1e-7)
        pixels = -(y * p.log() + (1 - y) * (1 - p).log()) * counted / 2
        pixels = pixels.sum((1, 2, 3)) / (counted.sum((1, 2, 3)) * logits.shape[1]).clamp(1)
        overlap = 1 - (2 * (y * p).sum((2, 3)) + 1) / ((y + p * counted).sum((2, 3)) + 1)
        return (pixels + overlap.mean(1)).mean() / 2


Combo.__name__ = "CrossEntropyLoss"  # for a loss of this name only, dlsia gives its metrics masks (B, Y, X)
LOSSES = {"cross_entropy": lambda: torch.nn.CrossEntropyLoss(ignore_index=-1), "combo": Combo}


def held_out(pairs: list[list[str]], task: Task) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Cut the slices to watch into patches side by side."""
    slices, side = Patches(pairs, task).pairs, task.patch
    return [
        tuple(
            torch.from_numpy(np.ascontiguousarray(each[None, None, y : y + side, x : x + side]))
            for each in (image, mask)
        )
        for image, mask in slices
        for y in range(0, image.shape[0] - side + 1, side)
        for x in range(0, image.shape[1] - side + 1, side)
    ]


def read(path: str) -> np.ndarray:
    """Read a slice or a mask, (Y, X) uint8."""
    return np.asarray(Image.open(path))


def build(task: Task) -> torch.nn.Module:
    """Build dlsia's network for one grey channel."""
    if task.network == "msdnet":
        return MixedScaleDenseNetwork(1, task.classes, **task.arguments)
    return TUNet((task.patch, task.patch), 1, task.classes, **task.arguments)


def train(task: Task) -> tuple[torch.nn.Module, dict[str, object]]:
    """Train epoch by epoch until the time is over, and keep the best epoch by the validation loss."""
    net = build(task)
    optimizer = torch.optim.Adam(net.parameters(), lr=task.learning_rate)
    criterion = LOSSES[task.loss]()
    patches, watched = Patches(task.train, task), held_out(task.validation, task)
    rows, best, weights = [], np.inf, None
    began = time.process_time()
    while (spent := time.process_time() - began) < task.seconds:
        if spent >= task.seconds / 2:
            optimizer.param_groups[0]["lr"] = task.learning_rate / 10
        net.train()
        net, results = train_segmentation(net, patches, watched, 1, criterion, optimizer, "cpu")
        rows.append({"loss": results["Training loss"][0], "val_loss": results["Validation loss"][0]})
        print(f"{time.process_time() - began:.0f} s  {rows[-1]}", flush=True)
        if rows[-1]["val_loss"] < best:
            best, weights = rows[-1]["val_loss"], copy.deepcopy(net.state_dict())
    net.load_state_dict(weights)
    spent = time.process_time() - began
    return net, {
        "processor_s": spent,
        "epochs": len(rows),
        "rows": rows,
        "val_loss": choose_statistics(net, watched, criterion),
    }


def choose_statistics(
    net: torch.nn.Module, watched: list[tuple[torch.Tensor, torch.Tensor]], criterion: torch.nn.Module
) -> dict[str, float]:
    """Let batch normalisation go by what it kept or by the image at hand: by what the watched slices prefer.

    dlsia itself never turns training off, not for its validation either; after a short training what was kept
    may be far off.
    """
    losses = {}
    for name, statistics in {"kept": False, "image": True}.items():
        trial = copy.deepcopy(net).train(statistics)
        with torch.no_grad():
            losses[name] = float(np.mean([criterion(trial(x), y.squeeze(1)).item() for x, y in watched]))
    net.eval()
    if not losses["kept"] <= losses["image"]:  # also where what was kept is NaN
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.train()
    return losses


def main() -> None:
    """Train, predict the test slices, and write masks and figures."""
    task = Task(**json.loads(sys.argv[1]))
    torch.manual_seed(task.seed)
    torch.set_num_threads(1)
    out = Path(task.out)
    out.mkdir(parents=True, exist_ok=True)
    net, figures = train(task)
    for path in task.test:
        with torch.inference_mode():
            logits = net(torch.from_numpy(read(path)[None, None] / np.float32(255)))
        Image.fromarray(logits[0].argmax(0).numpy().astype(np.uint8)).save(out / f"{Path(path).stem}.png")
    parameters = sum(each.numel() for each in net.parameters())
    (out / "figures.json").write_text(json.dumps({**figures, "parameters": parameters, "seed": task.seed}))


if __name__ == "__main__":
    main()
