"""The recipes that come with the package, and how a recipe is found by its name."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from kerasseg.errors import UserError, unknown
from kerasseg.files import write_atomically

FOLDER = "recipes"
SCHEMA = "recipe.schema.json"


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
    if path.is_dir():
        raise UserError(f"{path}: this is a folder; expected a recipe, such as cells.yaml")
    raise UserError(f"{path}: there is no such file; {unknown('shipped recipe', path.stem, known)}")


def about(path: Path) -> str:
    """Give the first sentence of a recipe's comments: what follows its command line and an empty comment."""
    comments = [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    after = comments[comments.index("") + 1 :] if "" in comments else comments
    return " ".join(after).partition(". ")[0].removesuffix(".")


def copy(name: str, to: Path) -> Path:
    """Copy a shipped recipe, and the schema that it names beside it.

    Parameters
    ----------
    name : str
        Of the recipe.
    to : Path
        A folder, or the file to write.

    Returns
    -------
    Path
        Of the copy.

    Raises
    ------
    UserError
        If there is no such recipe, or the file is there already.
    """
    known = shipped()
    if name not in known:
        raise UserError(unknown("shipped recipe", name, known))
    target = to / known[name].name if to.is_dir() else to
    if target.exists():
        raise UserError(f"{target}: it exists already; choose another name, or remove it")
    for source, copied in ((known[name], target), (known[name].with_name(SCHEMA), target.with_name(SCHEMA))):
        with write_atomically(copied) as temporary:
            temporary.write_bytes(source.read_bytes())
    return target
