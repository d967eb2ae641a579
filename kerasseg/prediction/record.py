"""Which model made which result, and how: ``predictions.json`` beside the results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasseg.errors import UserError, changes
from kerasseg.images.files import write_atomically

NAME = "predictions.json"


def is_done(result: Path, asked: Mapping[str, Any]) -> bool:
    """Tell whether a result is there and is what is asked for.

    Parameters
    ----------
    result : Path
        The file or folder.
    asked : mapping
        What identifies the prediction: names to JSON's values, or to further such mappings.

    Returns
    -------
    bool
        False where there is no such result.

    Raises
    ------
    UserError
        If something else is there; what it differs in is named, as far as it was recorded.
    """
    if not result.exists():
        return False
    before = _read(result.parent).get(result.name)
    if before is None:
        raise UserError(f"{result}: it is there already; choose another folder, or replace it by --force")
    asked = json.loads(json.dumps(asked))  # tuples become lists, as they do on disk
    if changed := changes(before, asked):
        raise UserError(
            f"{result}: it is there already and was asked otherwise; choose another folder, or replace it by "
            "--force",
            *(f"  {line}" for line in changed),
        )
    return True


def keep(result: Path, asked: Mapping[str, Any]) -> None:
    """Record what a result was asked by."""
    records = _read(result.parent) | {result.name: asked}
    with write_atomically(result.parent / NAME) as temporary:
        temporary.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def results(folder: Path) -> frozenset[str]:
    """Name the results in a folder that its record tells of."""
    return frozenset(_read(folder))


def _read(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
