"""The verb `runs`: what has been trained, and how well it did."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from kerasseg.console import console
from kerasseg.report.template import number
from kerasseg.runs.rundirectory import HISTORY, METRICS, STATUS, listed
from kerasseg.training import history


def list_runs(root: Path) -> None:
    """Print a line for each run below a folder.

    Raises
    ------
    UserError
        If there is none.
    """
    table = Table(box=None, pad_edge=False)
    for column in ("run", "started", "state", "epochs", "Dice"):
        table.add_column(column, justify="right" if column == "epochs" else "left", no_wrap=True)
    for run in listed(root):
        started = run.read_json(STATUS).get("started", "")[: len("2026-11-28T10:40")].replace("T", " ")
        classes = (run.read_json(METRICS).get("test") or {}).get("classes", {})
        dice = ", ".join(f"{number(scores['dice'])} {name}" for name, scores in classes.items())
        table.add_row(str(run.path), started, run.state, str(len(history.read(run / HISTORY))), dice)
    console.print(table)
