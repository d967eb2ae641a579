"""A run directory as a run leaves it, small and without any training."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from kerasseg import postprocess
from kerasseg.images.files import write
from kerasseg.metrics import objects, pixel
from kerasseg.metrics.objects import Labelled
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.table import Tables
from kerasseg.report import pictures
from kerasseg.training import history

RECIPE = """\
name: cells
data: {classes: [cell]}
model: {linknet: {encoder: efficientnetb0}}
"""
STATUS = {
    "state": "finished",
    "started": "2026-11-21T04:05:00+00:00",
    "changed": "2026-11-21T04:47:30+00:00",
    "stopped": "early stopping",
    "fallbacks": ["no ImageNet weights: RANDOM encoder weights instead"],
}
AUDIT = {
    "group_by": "sample_id",
    "groups": {"train": {"a[1]": 3, "b[1]": 1}, "validation": {"c[1]": 1}, "test": {"d[1]": 4}},
    "leaks": [],
    "warnings": [],
}
DATA = {"origin": "real", "images": 9, "sizes": {"40x56": 9}, "objects": 1234, "audit": AUDIT}
MODEL = {
    "name": "linknet",
    "size": [256, 256],
    "parameters": 6_132_000,
    "flops": 4_010_000_000,
    "batch": 8,
    "memory_mb": 1840.0,
    "latency_ms": 88.0,
    "blocks": [
        {"block": "stem", "layers": 4, "parameters": 32_000, "flops": 10_000_000},
        {"block": "head", "layers": 2, "parameters": 6_100_000, "flops": 4_000_000_000},
    ],
}


@pytest.fixture
def finished_run(tmp_path):
    """The directory of a run that finished: random discs, and predictions that moved a little."""
    directory = tmp_path / "runs" / "cells" / "3"
    random = np.random.default_rng(4)
    truths = {f"field{n}": discs(random) for n in range(4)}
    write_run(directory, {name: (100 + 80 * mask, mask) for name, mask in truths.items()})
    return directory


def discs(random: np.random.Generator) -> np.ndarray:
    """Draw a mask (40, 56) uint8 with a few discs."""
    seeds = random.random((40, 56)) > 0.995
    seeds[20, 20] = True
    return (ndimage.distance_transform_edt(~seeds) < 5).astype(np.uint8)


def write_run(directory: Path, tested: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Write every file that a report reads, with predictions that are the truth shifted, ever further."""
    (directory / "predictions" / "overlays").mkdir(parents=True)
    (directory / "examples").mkdir()
    (directory / "recipe.yaml").write_text(RECIPE)
    environment = {
        "kerasseg": "0.1.0",
        "python": "3.11.2",
        "precision": "float32",
        "devices": ["GPU:0", "GPU:1"],
        "keras": None,
    }
    facts = {"status": STATUS, "data": DATA, "model": MODEL, "environment": environment}
    for name, values in {**facts, "metrics": judged(directory, tested)}.items():
        (directory / f"{name}.json").write_text(json.dumps(values))
    rows = [f"x{n},train,g{n},x{n}.png" for n in range(4)] + ["v,validation,g,v.png"]
    rows += [f"{name},test,d[1],{name}.png" for name in tested]
    (directory / "split.csv").write_text("\n".join(["name,part,group,image", *rows]) + "\n")
    history.write(directory / "history.csv", [epoch(n) for n in range(1, 31)])


def judged(directory: Path, tested: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict:
    """Score shifted truths as predictions, draw them, and give what `metrics.json` holds."""
    counts, probabilities, truths, found, tables = {}, [], [], {}, Tables()
    for shift, (name, (image, truth)) in enumerate(tested.items(), start=1):
        probability = ndimage.gaussian_filter(np.roll(truth, shift, 1).astype(np.float32), 1.2)
        predicted = (probability >= 0.5).astype(np.uint8)
        counts[name] = pixel.count(truth, predicted, 1)
        overlay = pictures.overlay(image, truth, predicted)
        write(directory / "predictions" / "overlays" / f"{name}.png", overlay)
        write(directory / "examples" / f"{name}.png", pictures.annotated(image, truth))
        labelled = [Labelled(postprocess.labels(mask), mask) for mask in (truth, predicted)]
        cells = measure(labelled[1].labels)
        tables.add(name, cells, truth.shape, (0.5, 0.5), dict.fromkeys(cells.ids.tolist(), "cell"))
        found[name] = objects.compare(*labelled, probability[..., None])
        probabilities.append(probability[..., None])
        truths.append(truth)
    images = {name: pixel.image_scores(each, ["cell"]) for name, each in counts.items()}
    test = {"classes": pixel.scores(list(counts.values()), ["cell"]), "images": images}
    thresholds = np.linspace(0.02, 0.98, 49)
    pairs = zip(probabilities, truths, strict=True)
    curve = pixel.threshold_curve(
        [pixel.threshold_counts(*pair, thresholds) for pair in pairs], thresholds, ["cell"]
    )
    tables.write(directory / "predictions" / "objects.csv")
    return {
        "threshold": 0.5,
        "size": "256x256",
        "test": test,
        "test_original_size": test,
        "instances": objects.scores(found, ["cell"]),
        "threshold_curve": curve,
        "fallbacks": STATUS["fallbacks"],
    }


def epoch(number: int) -> dict[str, float]:
    """Give a row of a history whose validation loss is lowest at epoch 24."""
    return {
        "epoch": number,
        "loss": 0.55 * 0.92**number + 0.1,
        "dice": 0.95 - 0.9 * 0.9**number,
        "val_loss": 0.6 * 0.92**number + 0.13 + 0.01 * max(0, number - 24) ** 2,
        "val_dice": 0.86 - 0.85 * 0.88**number,
        "learning_rate": 1e-3 / 2 ** (number // 12),
        "seconds": 61.5,
    }
