"""The recipes that come with the package, and how a recipe is found by its name."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from kerasseg.errors import UserError, unknown

FOLDER = "recipes"


def shipped() -> dict[str, Path]:
    """List the shipped recipes: paths by name, sorted.

    The repository's folder ``recipes/`` is the package ``kerasseg.recipes`` once installed, editable or not.
    """
    spec = importlib.util.find_spec(f"kerasseg.{FOLDER}")
    folders = spec.submodule_search_locations if spec else []
    return {path.stem: path for folder in folders for path in sorted(Path(folder).glob("*.yaml"))}


def find(path: str | os.PathLike) -> Path:
    """Find a recipe: a file, or a shipped recipe by its name, with or without ``recipes/`` and ``.yaml``.

    Raises
    ------
    UserError
        If there is neither.
    """
    path = Path(path)
    if path.is_file():
        return path
    known = shipped()
    if path.parent in (Path(), Path(FOLDER)) and path.stem in known:
        return known[path.stem]
    raise UserError(f"{path}: there is no such file; {unknown('shipped recipe', path.stem, known)}")


def header(path: Path) -> str:
    """Give the first comment of a recipe that tells a reader something: its command line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = (line.lstrip("# ") for line in lines if line.startswith("#"))
    return next((line for line in comments if not line.startswith("yaml-language-server")), "")
