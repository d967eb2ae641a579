"""What reproductions share: their runs, taken where they have finished and trained where they have not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUNS = Path("runs")
DASH = "\N{EN DASH}"  # where there is no figure
WIDTH = 140  # characters of a table, whatever the terminal's


def trained(name: str, recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Train a recipe under a name of its own, unless a run of that name has finished, and read its figures.

    Parameters
    ----------
    name : str
        The run's; its folder is ``runs/NAME/N``, and the newest that has finished is taken.
    recipe : str
        The shipped recipe to train.
    overrides : sequence of str
        What is laid over it, as ``key.path=value``.

    Returns
    -------
    dict
        ``metrics`` and ``model``, as in the run's ``metrics.json`` and ``model.json``; ``folder``; and
        ``warnings``, which say what is SYNTHETIC or a FALLBACK.

    Raises
    ------
    SystemExit
        If the training ends with an error, which it has then said itself.
    """
    if not finished(name):
        program = Path(sys.executable).with_name("kerasseg")
        command = [str(program), "run", recipe, f"name={name}", *overrides]
        print("+", *command, flush=True)
        if code := subprocess.run(command, check=False).returncode:
            raise SystemExit(code)
    folder = finished(name)[-1]
    figures = {part: json.loads((folder / f"{part}.json").read_text()) for part in ("metrics", "model")}
    return figures | {"folder": folder, "warnings": figures["metrics"].get("fallbacks", [])}


def finished(name: str) -> list[Path]:
    """List the finished runs of a name, oldest first."""
    numbered = sorted((int(path.name), path) for path in (RUNS / name).glob("[0-9]*"))
    return [
        path for _, path in numbered if json.loads((path / "status.json").read_text())["state"] == "finished"
    ]


def per_image(run: dict[str, Any], score: str) -> float:
    """Average a score over images and then over classes, at the size at which the run is scored first."""
    classes = run["metrics"]["test"]["classes"].values()
    return sum(scores[f"{score}_per_image"] for scores in classes) / len(classes)
