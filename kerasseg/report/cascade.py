"""One page about a cascade: its stages with links to their reports, how they are merged, and the scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kerasseg.images.files import write_atomically
from kerasseg.report import charts
from kerasseg.report.page import NAME, SVG, number
from kerasseg.report.template import embedded, fill


def write(folder: Path) -> Path:
    """Write a cascade's page from its own files and those of its runs.

    Parameters
    ----------
    folder : Path
        Holds ``cascade.json`` and ``metrics.json``.

    Returns
    -------
    Path
        ``report.html`` in it.
    """
    cascade, metrics = (_json(folder / f"{name}.json") for name in ("cascade", "metrics"))
    test = metrics.get("test")
    facts = {
        "name": cascade["name"],
        "stages": {
            name: {
                **stage,
                "report": f"{stage['run']}/{NAME}",
                "classes": _json(folder / stage["run"] / "metrics.json")["test"]["classes"],
            }
            for name, stage in cascade["stages"].items()
        },
        "merge": cascade["merge"],
        "metrics": metrics,
        "confusion": test
        and embedded(charts.confusion(test["confusion"], ["background", *test["classes"]]), SVG),
    }
    path = folder / NAME
    with write_atomically(path) as temporary:
        temporary.write_text(
            fill(Path(__file__).with_suffix(".html"), facts, number=number), encoding="utf-8"
        )
    return path


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
