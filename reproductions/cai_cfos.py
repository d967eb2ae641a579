"""Tables I and II of the C-fos paper, with a learning curve of ours beside them.

    kerasseg label curve cfos_curate ... --truth truth.labels.ome.tif     # writes curve.csv and curve.json
    python reproductions/cai_cfos.py data/slide/labelling/curve/1

Cai, Advanced Image Segmentation Techniques for Neural Activity Detection via C-fos Immediate Early Gene
Expression. Its data, labels and training are others, so its figures cannot be held against ours. Its
proposals are Segment Anything's, its Table II is of tiles labelled by that, and it does not say whether its
MIoU is of the foreground or of two classes, nor how it is averaged. Ours are means over seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from trained import DASH, WIDTH

from kerasseg.commands.learning_curve import points
from kerasseg.report.learning_curve import methods, sizes


class Published(NamedTuple):
    """A row of one of the tables."""

    what: str
    miou: float
    f1: float


METHODS = {
    "untrained": Published("untrained", 0.0122, 0.0234),
    "random": Published("random", 0.6917, 0.7952),
    "by cluster": Published("cluster", 0.7312, 0.8264),
    "random, proposals, round 1": Published("Segment Anything", 0.6045, 0.6823),
    "by cluster, proposals, round 1": Published("Segment Anything, cluster", 0.6731, 0.7292),
    "by cluster, proposals, round 2": Published("Segment Anything, cluster, iteration", 0.6837, 0.7367),
}
"""Table I, by what we call the same."""

SIZES = {
    0: Published("0 tiles", 0.0122, 0.0234),
    5: Published("5 tiles", 0.4415, 0.4922),
    30: Published("30 tiles", 0.5904, 0.6367),
    80: Published("80 tiles", 0.6521, 0.6980),
    150: Published("150 tiles", 0.6731, 0.7292),
    250: Published("250 tiles", 0.6237, 0.6611),
}
"""Table II: labelled by Segment Anything, drawn by cluster."""


def compared(table: Table, title: str, published: Published | None, ours: Mapping[str, Any]) -> None:
    """Add a row: the paper's F1 and MIoU, and ours by both readings of MIoU."""
    theirs = [f"{published.f1:.4f}", f"{published.miou:.4f}"] if published else [DASH, DASH]
    means = (ours["f1"], ours["foreground_iou"], ours["mean_iou_two_class"])
    table.add_row(title, *theirs, *(f"{mean:.4f}" for mean in means))


def tables(rows: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> tuple[Table, Table]:
    """Put ours beside the paper's: ways to label, and numbers of tiles."""
    ways, numbers = (empty(title) for title in ("Table I: ways to label", "Table II: labelled tiles"))
    for method in methods(rows, plan):
        policy, *rest = method["title"].split(", ", 1)
        key = ", ".join([policy if policy in ("untrained", "random") else "by cluster", *rest])
        compared(ways, method["title"], METHODS.get(key), method)
    for size, by_policy in sizes(rows).items():
        for policy, ours in by_policy.items():
            compared(numbers, f"{size} tiles, {policy}", SIZES.get(size), ours)
    return ways, numbers


def empty(title: str) -> Table:
    """Make a table without rows."""
    table = Table("", title=title, title_justify="left")
    for column in ("paper: F1", "paper: MIoU", "ours: F1", "foreground IoU", "two-class MIoU"):
        table.add_column(column, justify="right")
    return table


def main() -> None:
    """Print both tables for the curve that is named."""
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: python {sys.argv[0]} FOLDER, which holds curve.csv and curve.json")
    curve = Path(sys.argv[1])
    facts = json.loads((curve / "curve.json").read_text(encoding="utf-8"))
    console = Console(width=WIDTH)
    for table in tables([vars(point) for point in points.read(curve / "curve.csv")], facts["plan"]):
        console.print(table)
    if facts["synthetic"]:
        console.print("SYNTHETIC slide", style="bold yellow")


if __name__ == "__main__":
    main()
