"""One page about a run, from the files in its directory: readable anywhere, without a network or a script.

What is read (see `kerasseg.runs.rundirectory`), and which section is left out where it is missing:

=============================  ==================================================================
``status.json``                state, start and end, why training stopped, fallbacks
``recipe.yaml``                the recipe
``environment.json``           versions, machine, settings chosen
``data.json``, ``split.csv``   data, split and its audit
``examples/*.png``             annotated images, by `pictures.annotated`
``history.csv``                curves
``model.json``                 the model, by `kerasseg.models.summary.describe`
``metrics.json``               verdict, scores, images, threshold
``predictions/overlays``       ``NAME.png`` for some of the test's images, by `pictures.overlay`
``samples/epoch-*.png``        translations of some images after each epoch, of engines that translate
=============================  ==================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from kerasseg.data.describe import read_split
from kerasseg.images.files import read, write_atomically
from kerasseg.report import charts, pictures
from kerasseg.report.ranking import Rank, ranks, shown
from kerasseg.report.template import embedded, fill
from kerasseg.runs.rundirectory import (
    DATA,
    ENVIRONMENT,
    EXAMPLES,
    HISTORY,
    METRICS,
    OVERLAYS,
    RECIPE,
    REPORT,
    SAMPLES,
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
WIDEST = 1000  # of an embedded picture, in pixels
JPEG, SVG = "image/jpeg", "image/svg+xml"


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
        temporary.write_text(render(gather(directory)), encoding="utf-8")
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
    run, recipe_file = RunDirectory(directory), directory / RECIPE
    text = recipe_file.read_text(encoding="utf-8") if recipe_file.exists() else ""
    recipe = yaml.safe_load(text) or {}
    status, data, metrics = run.read_json(STATUS), run.read_json(DATA), run.read_json(METRICS)
    rows = history.read(directory / HISTORY)
    ranking = ranks((metrics.get("test") or {}).get("images", {}))
    return {
        "name": recipe.get("name", directory.name),
        "number": directory.name,
        "status": status,
        "minutes": _minutes(status),
        "warnings": _warnings(data, status, metrics),
        "data": data,
        "split": read_split(directory / SPLIT),
        "examples": _examples(directory / EXAMPLES),
        "history": rows,
        "best": _best_epoch(rows),
        "criterion": _criterion(recipe),
        "curves": _curves(rows),
        "metrics": metrics,
        "ranking": ranking,
        "overlays": _overlays(directory / OVERLAYS, metrics, ranking),
        "threshold_curve": _threshold_curve(metrics),
        "confusion": _confusion(metrics.get("test") or {}),
        "model": run.read_json(SUMMARY),
        "samples": _samples(directory / SAMPLES),
        "volumes": any(size.count("x") == 2 for size in data.get("sizes", {})),
        "environment": run.read_json(ENVIRONMENT),
        "recipe": text,
    }


def render(facts: Mapping[str, Any]) -> str:
    """Fill the page in; whatever the facts hold is escaped.

    Parameters
    ----------
    facts : dict
        As `gather` gives them.

    Returns
    -------
    str
        HTML.
    """
    return fill(Path(__file__).with_suffix(".html"), facts, number=number, moment=moment)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with its decimals, thousands apart; a dash where there is none."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def moment(text: str) -> str:
    """Write an ISO 8601 moment as people do: ``21 November 2026, 04:05``."""
    when = datetime.fromisoformat(text)
    return f"{when.day} {when:%B %Y, %H:%M}"


def _minutes(status: Mapping[str, Any]) -> float | None:
    if "started" not in status or status.get("state") == "running":
        return None
    begin, end = (datetime.fromisoformat(status[name]) for name in ("started", "changed"))
    return (end - begin).total_seconds() / 60


def _warnings(data: Mapping, status: Mapping, metrics: Mapping) -> list[str]:
    """Collect what a reader must know before any figure, each once."""
    synthetic = data.get("origin") == "SYNTHETIC"
    fallbacks = dict.fromkeys([*status.get("fallbacks", []), *metrics.get("fallbacks", [])])
    said = [f"FALLBACK: {text}" for text in fallbacks if not (synthetic and text.startswith("SYNTHETIC"))]
    return [SYNTHETIC, *said] if synthetic else said


def _best_epoch(rows: list[history.Row]) -> int | None:
    """Find the epoch whose weights are kept; None where no validation loss is a number."""
    row = history.best(rows)
    return None if row is None or math.isnan(row["val_loss"]) else int(row["epoch"])


def _criterion(recipe: Mapping[str, Any]) -> str | None:
    """Say what the validation loss of a recipe's engine is, where it is not just the recipe's loss."""
    engine = recipe.get("train", {}).get("engine", {})
    return CRITERIA[engine["cycle"]["choose_by"]] if "cycle" in engine else None


def _curves(rows: list[history.Row]) -> str | None:
    return embedded(charts.curves(rows, _best_epoch(rows)), SVG) if rows else None


def _threshold_curve(metrics: Mapping[str, Any]) -> str | None:
    curve = metrics.get("threshold_curve")
    return embedded(charts.threshold_curve(curve, metrics["threshold"]), SVG) if curve else None


def _confusion(test: Mapping[str, Any]) -> str | None:
    """Draw what was taken for what, where there are several classes that exclude each other."""
    classes = list(test.get("classes", {}))
    if "confusion" not in test or len(classes) < 2:
        return None
    return embedded(charts.confusion(test["confusion"], ["background", *classes]), SVG)


def _examples(folder: Path) -> list[tuple[str, str]]:
    """Embed annotated images: pairs of name and data URI."""
    return [(path.stem, _picture(path)) for path in sorted(folder.glob("*.png"))]


def _overlays(folder: Path, metrics: Mapping, ranking: list[Rank]) -> list[tuple[Rank, str]]:
    """Embed overlays, best first; ranked at the images' own size, at which they are drawn."""
    own_size = metrics.get("test_original_size")
    ranking = ranks(own_size["images"]) if own_size else ranking
    names = {path.stem for path in folder.glob("*.png")}
    return [(rank, _picture(folder / f"{rank.file_name}.png")) for rank in shown(ranking, names)]


def _samples(folder: Path) -> list[tuple[str, str]]:
    """Embed the sample translations of the first epoch, one halfway and the last."""
    found = sorted(folder.glob("epoch-*.png"))
    places = sorted({0, len(found) // 2, len(found) - 1}) if found else []
    return [(found[at].stem.replace("-", " "), _picture(found[at])) for at in places]


def _picture(path: Path) -> str:
    return embedded(pictures.compressed(read(path), WIDEST), JPEG)
