"""The verb `models`: what can segment without a training."""

from __future__ import annotations

from pathlib import Path

from rich.markdown import Markdown
from rich.table import Table

from kerasseg.console import console
from kerasseg.errors import UserError, unknown
from kerasseg.report.template import number
from kerasseg.runs.shipped import card_of, shipped

NONE = "no model comes with this copy of kerasseg; kerasseg run RECIPE trains one"


def list_models() -> None:
    """Print a line for each model that comes with the package.

    Raises
    ------
    UserError
        If there is none.
    """
    if not (known := shipped()):
        raise UserError(NONE)
    table = Table(box=None, pad_edge=False)
    for column in ("model", "finds", "diameter", "held-out images", "MB", "recipe"):
        is_number = column in ("diameter", "MB")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for name, folder in known.items():
        facts, _ = card_of(folder)
        scores = [
            f"{class_}: " + ", ".join(f"{title} {value}" for title, value in values.items())
            for class_, values in facts["scores"].items()
        ]
        on = f"{facts['test_images']}: {'; '.join(scores)}"
        diameter, size = number(facts.get("diameter"), 1), number(_bytes(folder) / 1e6, 1)
        table.add_row(name, facts["finds"], diameter, on, size, facts["recipe"])
    console.print(table)


def show_card(name: str) -> None:
    """Print the card of one.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    known = shipped()
    if name not in known:
        raise UserError(unknown("shipped model", name, known) if known else NONE)
    console.print(Markdown(card_of(known[name])[1]))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
