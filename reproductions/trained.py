"""What reproductions share: their runs, taken where they have finished and trained where they have not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUNS = Path("runs")
PROCESSOR = "processor_s.json"  # in a run's folder: what `trained` measured
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
        ``metrics`` and ``model``, as in the run's ``metrics.json`` and ``model.json``; ``folder``;
        ``processor_s``, see `processor_seconds`; and ``warnings``, which say what is SYNTHETIC or a FALLBACK.

    Raises
    ------
    SystemExit
        If the training ends with an error, which it has then said itself.
    """
    if not finished(name):
        seconds = kerasseg("run", recipe, f"name={name}", *overrides)
        (finished(name)[-1] / PROCESSOR).write_text(json.dumps(seconds))
    folder = finished(name)[-1]
    figures = {part: json.loads((folder / f"{part}.json").read_text()) for part in ("metrics", "model")}
    figures["processor_s"] = processor_seconds(folder)
    return figures | {"folder": folder, "warnings": figures["metrics"].get("fallbacks", [])}


def kerasseg(*arguments: str) -> float:
    """Run kerasseg as if it were typed, and tell how many processor seconds it took, children included.

    Raises
    ------
    SystemExit
        If it ends with an error, which it has then said itself.
    """
    command = [str(Path(sys.executable).with_name("kerasseg")), *arguments]
    print("+", *command, flush=True)
    before = os.times()
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(code)
    after = os.times()
    user, system = after.children_user - before.children_user, after.children_system - before.children_system
    return round(user + system, 1)


def processor_seconds(folder: Path) -> float | None:
    """Read how long a run of `trained` took; None where it was begun in another way."""
    path = folder / PROCESSOR
    return json.loads(path.read_text()) if path.is_file() else None


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
