"""``key.path=value`` on the command line, laid over what a file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasseg.errors import UserError
from kerasseg.recipe.document import Path, dotted, parse


def read_override(text: str) -> tuple[Path, Any]:
    """Split an override into the path of its key and its value, which is read as YAML.

    Parameters
    ----------
    text : str
        Such as ``"train.epochs=5"``, ``"data.classes=[cell, debris]"`` or ``"data.resize=null"``.

    Returns
    -------
    tuple
        The path, such as ``("train", "epochs")``, and the value, such as ``5``.

    Raises
    ------
    UserError
        If there is no ``=``, no key before it, or no YAML behind it.
    """
    key, equals, value = text.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise UserError(f"override {text!r}: write it as key.path=value, such as train.epochs=5")
    document = parse(value, f"override {text!r}")
    if document.duplicates:
        raise UserError(*document.duplicates)
    return tuple(int(step) if step.isdecimal() else step for step in steps), document.value


def override(value: Any, path: Path, new: Any) -> Any:
    """Give a copy of nested mappings and lists in which `path` holds `new`.

    Sections that are missing or null on the way are made; a bare component's name opens to take arguments.

    Raises
    ------
    UserError
        If the path goes through something that has no keys.
    """
    root = {"": _unshared(value)}
    holder, key = root, ""
    for depth, step in enumerate(path):
        holder[key] = inside = _opened(holder[key], step, path[:depth])
        if isinstance(inside, dict):
            inside.setdefault(step, None)
        holder, key = inside, step
    holder[key] = new
    return root[""]


def _unshared(value: Any) -> Any:
    """Copy nested mappings and lists; what YAML's aliases share becomes several, to be overridden apart."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value


def _opened(value: Any, step: str | int, path: Path) -> dict | list:
    if value is None:
        return {}
    if isinstance(value, str) and value == step:
        return {value: {}}
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
        return value
    kind = f"a list of {len(value)}, counted from 0" if isinstance(value, list) else repr(value)
    raise UserError(f"override {dotted((*path, step))}: there is no {step!r} here: {dotted(path)} is {kind}")


def apply(value: Any, overrides: Sequence[str]) -> tuple[Any, list[Path], list[str]]:
    """Lay overrides over a recipe's value, in their order.

    Parameters
    ----------
    value : object
        What the recipe's file holds.
    overrides : sequence of str
        ``key.path=value`` each.

    Returns
    -------
    tuple
        The new value, the paths that were overridden, and what is wrong with the overrides that were not.
    """
    paths, mistakes = [], []
    for text in overrides:
        try:
            path, new = read_override(text)
            value = override(value, path, new)
            paths.append(path)
        except UserError as error:
            mistakes.extend(error.messages)
    return value, paths, mistakes
