"""One page about a cascade: its stages with links to their reports, how they are merged, and the scores."""

from __future__ import annotations

from pathlib import Path

from kerasseg.files import write_atomically
from kerasseg.report import charts
from kerasseg.report.template import SVG, embedded, fill
from kerasseg.runs.rundirectory import HISTORY, METRICS, REPORT, STATUS, RunDirectory
from kerasseg.training import history

AVERAGES = {
    "f1_micro": "micro",
    "f1_micro_foreground": "micro, without the background",
    "f1_weighted": "weighted",
    "f1_macro": "macro",
    "f1_macro_foreground": "macro, without the background",
}
"""By scikit-learn's names for them: see `kerasseg.metrics.confusion`."""


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
    baseline = {"baseline": {"run": cascade["baseline"]}} if "baseline" in cascade else {}
    runs = {
        name: {
            **stage,
            "report": f"{stage['run']}/{REPORT}",
            "classes": RunDirectory(folder / stage["run"]).read_json(METRICS)["test"]["classes"],
            "failures": _failures(folder / stage["run"]),
        }
        for name, stage in (cascade["stages"] | baseline).items()
    }
    facts = {
        "name": cascade["name"],
        "stages": cascade["stages"],
        "runs": runs,
        "merge": cascade["merge"],
        "metrics": metrics,
        "averages": AVERAGES,
        "confusion": test
        and embedded(charts.confusion(test["confusion"], ["background", *test["classes"]]), SVG),
    }
    path = folder / REPORT
    with write_atomically(path) as temporary:
        temporary.write_text(fill(Path(__file__).with_suffix(".html"), facts), encoding="utf-8")
    return path


def _failures(run: Path) -> list[str]:
    """Say why a stage's training failed, if it did."""
    return history.failures(history.read(run / HISTORY), RunDirectory(run).read_json(STATUS).get("stopped"))
