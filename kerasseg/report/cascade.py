"""One page about a cascade: its stages with links to their reports, how they are merged, and the scores."""

from __future__ import annotations

from pathlib import Path

from kerasseg.files import write_atomically
from kerasseg.report import charts
from kerasseg.report.template import SVG, embedded, fill
from kerasseg.runs.rundirectory import METRICS, REPORT, RunDirectory


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
    cascade, metrics = (RunDirectory(folder).read_json(name) for name in ("cascade.json", METRICS))
    test = metrics.get("test")
    facts = {
        "name": cascade["name"],
        "stages": {
            name: {
                **stage,
                "report": f"{stage['run']}/{REPORT}",
                "classes": RunDirectory(folder / stage["run"]).read_json(METRICS)["test"]["classes"],
            }
            for name, stage in cascade["stages"].items()
        },
        "merge": cascade["merge"],
        "metrics": metrics,
        "confusion": test
        and embedded(charts.confusion(test["confusion"], ["background", *test["classes"]]), SVG),
    }
    path = folder / REPORT
    with write_atomically(path) as temporary:
        temporary.write_text(fill(Path(__file__).with_suffix(".html"), facts), encoding="utf-8")
    return path
