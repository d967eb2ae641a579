"""Which model made which result, and how: ``predictions.json`` beside the results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasseg import locks
from kerasseg.errors import UserError, changes
from kerasseg.files import write_atomically

NAME, INSTEAD = "predictions.json", "written_instead"


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
    before = _read(result.parent).get(result.name)
    if not result.exists():
        return bool(before and INSTEAD in before) and is_done(result.with_name(before[INSTEAD]), asked)
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


def keep(result: Path, asked: Mapping[str, Any], instead_of: Path | None = None) -> None:
    """Record what a result was asked by.

    Parameters
    ----------
    result : Path
        The file or folder.
    asked : mapping
        See `is_done`.
    instead_of : Path, optional
        What was asked for, where its format could not hold the result; one of that name is removed.
    """
    new = {result.name: asked}
    if instead_of not in (None, result):
        new[instead_of.name] = {INSTEAD: result.name}
        instead_of.unlink(missing_ok=True)
    path = result.parent / NAME
    with locks.awaited(path.with_name(f".{NAME}.change")), write_atomically(path) as temporary:
        text = json.dumps(_read(result.parent) | new, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def results(folder: Path) -> frozenset[str]:
    """Name the results in a folder that its record tells of."""
    return frozenset(_read(folder))


def _read(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
