"""A learning curve as one picture and one page: scores against labelled tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from kerasseg.files import write_atomically
from kerasseg.report import charts
from kerasseg.report.page import SYNTHETIC
from kerasseg.report.template import SVG, embedded, fill

NAME, PICTURE = "curve.html", "curve.svg"
SCORES = {"f1": "F1", "foreground_iou": "Foreground IoU", "mean_iou_two_class": "Two-class mean IoU"}
DRAWN = ("f1", "foreground_iou")

Row = Mapping[str, Any]


def write(directory: Path, rows: Sequence[Row], facts: Mapping[str, Any]) -> Path:
    """Write a curve's picture and page.

    Parameters
    ----------
    directory : Path
        Gets ``curve.svg`` and ``curve.html``.
    rows : sequence of mapping
        At least one: the attributes of `kerasseg.commands.learning_curve.points.Point`.
    facts : mapping
        As in ``curve.json``.

    Returns
    -------
    Path
        The page.
    """
    picture = charts.learning(rows, {name: SCORES[name] for name in DRAWN}, _sizes(rows))
    context = {
        "name": Path(facts["root"]).name,
        "warnings": [SYNTHETIC] if facts["synthetic"] else [],
        "plan": facts["plan"],
        "recipe": facts["recipe"],
        "train": facts["recipe"]["train"],
        "methods": methods(rows, facts["plan"]),
        "sizes": sizes(rows),
        "policies": list(dict.fromkeys(row["policy"] for row in rows)),
        "scores": SCORES,
        "drawn": {name: SCORES[name] for name in DRAWN},
        "picture": embedded(picture, SVG),
    }
    page = fill(Path(__file__).with_suffix(".html"), context)
    for name, content in {PICTURE: picture, NAME: page.encode()}.items():
        with write_atomically(directory / name) as path:
            path.write_bytes(content)
    return directory / NAME


def methods(rows: Sequence[Row], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sum points up by the way of labelling: untrained, labelled, proposed, and proposed again.

    Parameters
    ----------
    rows : sequence of dict
        Points.
    plan : mapping
        With `start` and `reviewed`: proposals compare with as many labelled tiles as their sum, or with the
        largest number where there are no points of that.

    Returns
    -------
    list of dict
        `title`, and what `summed` gives.
    """
    policies = dict.fromkeys(row["policy"] for row in rows)
    labelled = [row for row in rows if not row["proposals"]]
    wanted = plan["start"] + plan["reviewed"]
    size = wanted if wanted in _sizes(rows) else max(_sizes(rows), default=0)
    kinds = [("untrained", [row for row in labelled if row["tiles"] == 0])]
    for policy in policies:
        alike = [row for row in labelled if row["policy"] == policy and row["tiles"] == size > 0]
        kinds.append((policy, alike))
    for number in sorted({row["round"] for row in rows} - {0}):
        for policy in policies:
            alike = [row for row in rows if row["policy"] == policy and row["round"] == number]
            kinds.append((f"{policy}, proposals, round {number}", alike))
    return [{"title": title} | summed(alike) for title, alike in kinds if alike]


def sizes(rows: Sequence[Row]) -> dict[int, dict[str, dict[str, Any]]]:
    """Sum labelled points up by the number of tiles and by policy."""
    table: dict[int, dict[str, list[Row]]] = {}
    for row in sorted((row for row in rows if not row["proposals"]), key=lambda row: row["tiles"]):
        table.setdefault(row["tiles"], {}).setdefault(row["policy"], []).append(row)
    return {
        size: {policy: summed(alike) for policy, alike in by_policy.items()}
        for size, by_policy in table.items()
    }


def summed(rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up points of one kind: `seeds`, means of counts and scores, `lowest` and `highest` scores."""
    counts = ("tiles", "accepted", "empty", "rejected", "seconds")
    return {
        "seeds": len({row["seed"] for row in rows}),
        **{name: fmean(row[name] for row in rows) for name in (*counts, *SCORES)},
        "lowest": {name: min(row[name] for row in rows) for name in SCORES},
        "highest": {name: max(row[name] for row in rows) for name in SCORES},
    }


def _sizes(rows: Sequence[Row]) -> list[int]:
    return sorted({row["tiles"] for row in rows if not row["proposals"]})
