"""One page about a run, from the files in its directory: readable anywhere, without a network or a script.

What is read (see `kerasseg.runs.rundirectory`), and which section is left out where it is missing:

=============================  ==================================================================
``status.json``                state, start and end, why training stopped, fallbacks
``recipe.yaml``                the recipe
``base.json``                  the model that training went on from
``environment.json``           versions, machine, settings chosen
``data.json``, ``split.csv``   data, split and its audit
``examples/*.png``             annotated images, by `pictures.annotated`
``histograms.svg``             intensities before and after they were matched
``history.csv``                curves
``model.json``                 the model, by `kerasseg.models.summary.describe`
``metrics.json``               verdict, scores, images, threshold
``int8/facts.json``            how good and how fast the network is in int8, by `kerasseg.commands.quantise`
``predictions/overlays``       ``NAME.png`` for some of the test's images, by `pictures.overlay`
``predictions/rebuilt``        the same images rebuilt from key points, by `pictures.rebuilt`
``predictions/objects.csv``    how large the predicted objects are, by `kerasseg.postprocess.table`
``samples/epoch-*.png``        translations of some images after each epoch, of engines that translate
=============================  ==================================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import yaml

from kerasseg.data.split import read_split
from kerasseg.files import write_atomically
from kerasseg.images.files import read
from kerasseg.images.folders import file_name
from kerasseg.inference import openvino
from kerasseg.postprocess.table import images_table, read_columns
from kerasseg.report import charts, pictures
from kerasseg.report.template import JPEG, SVG, embedded, fill
from kerasseg.runs.rundirectory import (
    BASE,
    DATA,
    ENVIRONMENT,
    EXAMPLES,
    HISTOGRAMS,
    HISTORY,
    INT8,
    METRICS,
    OBJECTS,
    OVERLAYS,
    REBUILT,
    RECIPE,
    REPORT,
    SAMPLES,
    SPEC,
    SPLIT,
    STATUS,
    SUMMARY,
    RunDirectory,
)
from kerasseg.training import history

MOST_EXAMPLES = {2: 8, 3: 2}  # by rank: a volume takes a screen for each class
SYNTHETIC = "SYNTHETIC data: these images were drawn by a program; the scores say nothing about cells."
CRITERIA = {
    "cycle": "how far held-out images are from themselves after a cycle; their true masks were not used",
    "truth": "what the model makes of held-out images, compared with their true masks",
}
"""What the validation loss is where images and masks are unpaired, by `kerasseg.training.cycle`'s names."""
MEASURES = {
    "ssim_global": "SSIM, global",
    "ssim_11": "SSIM, 11 x 11",
    "ssim_paper": "SSIM, paper's",
    "rmse": "RMSE",
    "mse": "MSE",
}
"""Titles of `kerasseg.metrics.similarity.MEASURES`."""
WIDEST = 1000  # of an embedded picture, in pixels
SIZES = {
    "area_um2": "area, µm²",
    "area_px2": "area, pixels",
    "volume_um3": "volume, µm³",
    "volume_px3": "volume, voxels",
}
"""Columns of the table of objects that say how large they are; the first that is there is shown."""
SCORES = ("dice", "iou", "precision", "recall")


def write(directory: Path) -> Path:
    """Write a run's page from the run's own files.

    Parameters
    ----------
    directory : Path
        The run's, in whatever state it is.

    Returns
    -------
    Path
        ``report.html`` in it, written whole or not at all.
    """
    path = directory / REPORT
    with write_atomically(path) as temporary:
        temporary.write_text(fill(Path(__file__).with_suffix(".html"), gather(directory)), encoding="utf-8")
    return path


def gather(directory: Path) -> dict[str, Any]:
    """Read what a run's directory holds, and make the pictures.

    Parameters
    ----------
    directory : Path

    Returns
    -------
    dict
        What `page.html` is filled with; None or empty where a file is missing.
    """
    run = RunDirectory(directory)
    path = directory / RECIPE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    recipe = yaml.safe_load(text) or {}
    status = run.read_json(STATUS)
    data = run.read_json(DATA)
    metrics = run.read_json(METRICS)
    matched = directory / HISTOGRAMS
    rows = history.read(directory / HISTORY)
    split = read_split(directory / SPLIT)
    best = _best_epoch(rows)
    engine = recipe.get("train", {}).get("engine", {})
    ranking = ranks((metrics.get("test") or {}).get("images", {}))
    return {
        "name": recipe.get("name", directory.name),
        "number": directory.name,
        "status": status,
        "minutes": _minutes(status),
        "warnings": _warnings(data, status, metrics),
        "data": data,
        "base": run.read_json(BASE),
        "untaught": ", ".join(recipe.get("data", {}).get("ignore", [])),
        "split": Counter(row["part"] for row in split),
        "examples": [(path.stem, _picture(path)) for path in sorted((directory / EXAMPLES).glob("*.png"))],
        "matched_to": (recipe.get("data", {}).get("match") or {}).get("reference"),
        "histograms": embedded(matched.read_bytes(), SVG) if matched.is_file() else None,
        "history": rows,
        "best": best,
        "criterion": CRITERIA[engine["cycle"]["choose_by"]] if "cycle" in engine else None,
        "failures": history.failures(rows, status.get("stopped")),
        "curves": embedded(charts.curves(rows, best), SVG) if rows else None,
        "metrics": metrics,
        "ranking": ranking,
        "overlays": _overlays(directory / OVERLAYS, metrics, ranking),
        "rebuilt": [(path.stem, _picture(path)) for path in sorted((directory / REBUILT).glob("*.png"))],
        "kernel": _kernel(recipe),
        "measures": MEASURES,
        "threshold_curve": _threshold_curve(metrics),
        "confusion": _confusion(metrics.get("test") or {}),
        "measured": _measured(directory / OBJECTS, {row["name"]: row["group"] for row in split}),
        "int8": openvino.kept(directory / INT8, run.read_json(SPEC).get("weights")),
        "model": run.read_json(SUMMARY),
        "samples": _samples(directory / SAMPLES),
        "volumes": any(size.count("x") == 2 for size in data.get("sizes", {})),
        "environment": run.read_json(ENVIRONMENT),
        "recipe": text,
    }


def _minutes(status: Mapping[str, Any]) -> float | None:
    if "started" not in status or status.get("state") == "running":
        return None
    started = datetime.fromisoformat(status["started"])
    return (datetime.fromisoformat(status["changed"]) - started).total_seconds() / 60


def _warnings(data: Mapping, status: Mapping, metrics: Mapping) -> list[str]:
    """Collect what a reader must know before any figure, each once."""
    fallbacks = dict.fromkeys([*status.get("fallbacks", []), *metrics.get("fallbacks", [])])
    if data.get("origin") != "SYNTHETIC":
        return [f"FALLBACK: {text}" for text in fallbacks]
    return [SYNTHETIC, *(f"FALLBACK: {text}" for text in fallbacks if not text.startswith("SYNTHETIC"))]


def _best_epoch(rows: list[history.Row]) -> int | None:
    """Find the epoch whose weights are kept; None where no validation loss is a number."""
    row = history.best(rows)
    return None if row is None or math.isnan(row["val_loss"]) else int(row["epoch"])


def _kernel(recipe: Mapping[str, Any]) -> str | None:
    """Name what rebuilds images from key points."""
    if not recipe.get("key_points"):
        return None
    ((name, values),) = recipe["key_points"]["kernel"].items()
    return f"{values['size']} x {values['size']} {name} kernel normalised to its {values['norm']}"


def _threshold_curve(metrics: Mapping[str, Any]) -> str | None:
    curve = metrics.get("threshold_curve")
    return embedded(charts.threshold_curve(curve, metrics["threshold"]), SVG) if curve else None


def _confusion(test: Mapping[str, Any]) -> str | None:
    """Draw what was taken for what, where there are several classes that exclude each other."""
    classes = list(test.get("classes", {}))
    if "confusion" not in test or len(classes) < 2:
        return None
    return embedded(charts.confusion(test["confusion"], ["background", *classes]), SVG)


def _measured(path: Path, groups: Mapping[str, str]) -> list[Distribution]:
    """Draw how many objects were predicted in each test image and how large they are, class by class."""
    objects, images = read_columns(path), read_columns(images_table(path))
    size = next((name for name in SIZES if name in objects), None)
    if size is None or not images:
        return []
    drawn = []
    for label in dict.fromkeys(images["class"]):
        sizes = {image: [] for image in images["image"]}
        for image, label_of, value in zip(objects["image"], objects["class"], objects[size], strict=True):
            if label_of == label and value:
                sizes[image].append(float(value))
        chart = charts.objects(sizes, {image: groups.get(image, image) for image in sizes}, SIZES[size])
        drawn.append(Distribution(label, sum(map(len, sizes.values())), embedded(chart, SVG)))
    return drawn


def _overlays(folder: Path, metrics: Mapping, ranking: list[Rank]) -> list[tuple[Rank, str]]:
    """Embed overlays, best first; ranked at the images' own size, at which they are drawn."""
    own_size = metrics.get("test_original_size")
    ranking = ranks(own_size["images"]) if own_size else ranking
    paths = [(rank, folder / f"{rank.file_name}.png") for rank in reversed(ranking)]
    return [(rank, _picture(path)) for rank, path in paths if path.is_file()]


def _samples(folder: Path) -> list[tuple[str, str]]:
    """Embed the sample translations of the first epoch, one halfway and the last."""
    paths = sorted(folder.glob("epoch-*.png"))
    some = sorted({0, len(paths) // 2, len(paths) - 1}) if paths else []
    return [(paths[index].stem.replace("-", " "), _picture(paths[index])) for index in some]


def _picture(path: Path) -> str:
    return embedded(pictures.compressed(read(path), WIDEST), JPEG)


class Distribution(NamedTuple):
    """The predicted objects of a class in all test images."""

    label: str
    count: int
    chart: str


class Rank(NamedTuple):
    """An image of the test and how well it went, each score a mean over the classes."""

    name: str
    place: int  # from 1, the worst
    of: int
    scores: dict[str, float]

    @property
    def title(self) -> str:
        """Say in a word where the image stands."""
        titles = {1: "worst", self.of // 2 + 1: "median", self.of: "best"}
        return titles.get(self.place, f"{self.place} of {self.of}, worst first")

    @property
    def file_name(self) -> str:
        """Name of the image's files among the predictions, without suffix."""
        return file_name(self.name)


def ranks(images: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Rank]:
    """Order images by their Dice, worst first; equals by their names; those without truth have no rank.

    Parameters
    ----------
    images : dict
        From the image's name to class to score, as in `metrics.json`.

    Returns
    -------
    list of Rank
    """
    means: dict[str, dict[str, float]] = {}
    for name, by_class in images.items():
        known = [scores for scores in by_class.values() if is_score(scores["dice"])]
        if known:
            means[name] = {score: fmean(scores[score] for scores in known) for score in SCORES}
    order = sorted(means, key=lambda name: (means[name]["dice"], name))
    return [Rank(name, place, len(order), means[name]) for place, name in enumerate(order, start=1)]


def is_score(value: float | None) -> bool:
    """Tell a score from the None or NaN that stands where there was no truth."""
    return value is not None and not math.isnan(value)
