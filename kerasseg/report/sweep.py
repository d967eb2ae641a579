"""A sweep as tables and as one page: which settings did how well, and what failed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasseg.files import write_atomically
from kerasseg.report import charts
from kerasseg.report.template import SVG, embedded, fill
from kerasseg.runs.rundirectory import HISTORY, METRICS, STATUS, SUMMARY, RunDirectory
from kerasseg.training import history

PAGE, CSV, MARKDOWN = "sweep.html", "table.csv", "table.md"
COST = ("seconds", "peak_mib")
PRINTED = {  # as papers print a column: its heading, and by what its numbers are multiplied
    "parameters": ("parameters, M", 1e-6),
    "loss": ("loss, 1e-2", 1e2),
    "val_loss": ("val_loss, 1e-2", 1e2),
}
AVERAGES = ("f1_micro", "f1_micro_foreground", "f1_weighted", "f1_macro")  # of a test, if it has them
TIE = 1e-4  # trials whose objectives differ by less from the best one's are as good


@dataclass(frozen=True)
class Trial:
    """A trial, and what its run came to.

    Attributes
    ----------
    number : int
        Optuna's.
    parameters : mapping
        From the keys that vary to their values.
    state : {"waiting", "running", "complete", "fail"}
    objective : float or None
        What it is judged by; None where it is not complete.
    facts : mapping
        ``parameters``: of the network; ``seconds`` and ``peak_mib``: of the process that trained it, where
        its run does not say.
    reason : str
        Why it failed.
    run : Path or None
        The folder of its finished run.
    """

    number: int
    parameters: Mapping[str, Any]
    state: str
    objective: float | None
    facts: Mapping[str, Any]
    reason: str
    run: Path | None


def write(folder: Path, name: str, objective: str, trials: Sequence[Trial]) -> Path:
    """Write ``table.csv``, ``table.md`` and ``sweep.html``: the best trial first, failed ones last.

    Parameters
    ----------
    folder : Path
        Of the sweep.
    name : str
        Of the recipe.
    objective : str
        The column of ``history.csv`` that trials are judged by: losses are to be low, all others high.
    trials : sequence of Trial

    Returns
    -------
    Path
        The page.
    """
    sign = 1 if objective.endswith("loss") else -1
    complete = [trial for trial in trials if trial.objective is not None]
    complete.sort(key=lambda trial: sign * trial.objective)
    others = sorted(
        (trial for trial in trials if trial.objective is None), key=lambda trial: trial.state == "fail"
    )
    rows = [_row(trial, objective) for trial in [*complete, *others]]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    headings = [PRINTED[column][0] if column in PRINTED else column for column in columns]
    cells = [[_cell(column, row.get(column)) for column in columns] for row in rows]
    best = [trial for trial in complete if abs(trial.objective - complete[0].objective) < TIE]
    is_best = [n < len(best) for n in range(len(rows))]  # they stand first
    curves = {_label(trial): history.read(trial.run / HISTORY) for trial in complete if trial.run}
    page = fill(
        Path(__file__).with_suffix(".html"),
        {
            "name": name,
            "objective": objective,
            "best": [_label(trial) for trial in best],
            "failed": {_label(trial): trial.reason for trial in others if trial.state == "fail"},
            "headings": headings,
            "rows": list(zip(cells, is_best, strict=True)),
            "parallel": embedded(charts.parallel_coordinates(*_coordinates(complete, objective)), SVG)
            if len(complete) > 1
            else None,
            "curves": embedded(charts.compared_curves(curves, "val_loss"), SVG) if curves else None,
        },
    )
    for file, text in {
        CSV: _csv(columns, rows),
        MARKDOWN: _markdown(headings, cells, is_best),
        PAGE: page,
    }.items():
        with write_atomically(folder / file) as path:
            path.write_text(text, encoding="utf-8")
    return folder / PAGE


def _row(trial: Trial, objective: str) -> dict[str, Any]:
    """Gather a trial's line of the table; what is not known is left out."""
    row = {"trial": trial.number, **{_last(key): value for key, value in trial.parameters.items()}}
    row["parameters"] = trial.facts.get("parameters")
    row["state"] = trial.state
    if trial.run:
        run = RunDirectory(trial.run)
        best = history.best(history.read(run / HISTORY))
        metrics = run.read_json(METRICS)
        row["parameters"] = run.read_json(SUMMARY).get("parameters", row["parameters"])
        row |= {"epoch": best["epoch"], "loss": best["loss"], "val_loss": best["val_loss"]}
        row.setdefault(objective, trial.objective)
        test = metrics.get("test", {})
        row |= {f"dice {name}": scores["dice"] for name, scores in test.get("classes", {}).items()}
        averages = test.get("averages", {})
        row |= {average: averages[average] for average in AVERAGES if average in averages}
    cost = trial.facts | (run.read_json(STATUS) if trial.run else {})
    row |= {key: cost[key] for key in COST if key in cost}
    if trial.state == "fail":
        row["reason"] = trial.reason
    return row


def _label(trial: Trial) -> str:
    return ", ".join(f"{_last(key)}={value}" for key, value in trial.parameters.items())


def _last(key: str) -> str:
    """Name a key by its last word."""
    return key.rpartition(".")[2]


def _coordinates(trials: Sequence[Trial], objective: str) -> tuple[list[str], list[list[Any]]]:
    """Give the axes of the chart, and each trial's place on them, the best trial first."""
    names = [*map(_last, trials[0].parameters), objective]
    return names, [[*trial.parameters.values(), trial.objective] for trial in trials]


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    file = io.StringIO()
    table = csv.DictWriter(file, columns, restval="")
    table.writeheader()
    table.writerows(rows)
    return file.getvalue()


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]], is_best: Sequence[bool]) -> str:
    """Write the table as Markdown, the best in bold."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    for cells, bold in zip(rows, is_best, strict=True):
        shown = [f"**{cell}**" if cell and bold else cell for cell in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: str, value: Any) -> str:
    """Write a value as a person reads it, and as papers print it."""
    if value is None:
        return ""
    if column in PRINTED:
        return f"{value * PRINTED[column][1]:.3g}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "/")
