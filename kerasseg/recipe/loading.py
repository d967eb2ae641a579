"""From a file and overrides to a recipe, or to everything that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kerasseg.errors import UserError
from kerasseg.recipe import document, mistakes
from kerasseg.recipe.document import dotted, shown
from kerasseg.recipe.recipe import Recipe
from kerasseg.recipe.section import Section
from kerasseg.recipe.shipped import find

AnySection = TypeVar("AnySection", bound=Section)
Message = Callable[[ErrorDetails, type[Section], Any], str]


def load(path: str | os.PathLike, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, lay overrides over it, and validate all of it.

    Parameters
    ----------
    path : path
        Of the recipe, or the name of a shipped one; see `find`.
    overrides : sequence of str
        ``key.path=value`` each, laid over the file in their order.

    Returns
    -------
    Recipe
        With every default filled in.

    Raises
    ------
    UserError
        With everything that is wrong, each with its line or its override.
    """
    path = find(path)
    if holds_stages(path):
        raise UserError(
            f"{path}: it is a cascade of several networks, which kerasseg run and kerasseg check take; here "
            "name the recipe of one of them"
        )
    return validated(Recipe, path, overrides)


def holds_stages(path: Path) -> bool:
    """Tell a cascade's file, which has stages, from a recipe's; what cannot be read is neither."""
    try:
        value = read_document(path).value
    except UserError:
        return False
    return isinstance(value, dict) and "stages" in value


def validated(
    whole: type[AnySection],
    path: Path,
    overrides: Sequence[str] = (),
    message: Message = mistakes.message,
    context: Mapping[str, Any] | None = None,
) -> AnySection:
    """Read a section from a file, lay overrides over it, and validate all of it.

    Parameters
    ----------
    whole : type of Section
        What the file holds.
    path : Path
    overrides : sequence of str
        See `load`.
    message : callable
        See `kerasseg.recipe.mistakes.message`.
    context : mapping, optional
        What validators may know.

    Returns
    -------
    Section

    Raises
    ------
    UserError
        With everything that is wrong, each with its line or its override.
    """
    parsed = read_document(path)
    if not isinstance(parsed.value, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys; got {shown(parsed.value)}")
    value, overridden, wrong = apply(parsed.value, overrides)
    try:
        section = whole.model_validate(value, context=context)
    except ValidationError as error:
        wrong += [
            f"{_place(each['loc'], path, parsed, overridden)}: {message(each, whole, value)}"
            for each in mistakes.unfolded(error.errors())
        ]
    if parsed.duplicates or wrong:
        raise UserError(*parsed.duplicates, *wrong)
    return section


def amended(section: AnySection, **changes: Any) -> AnySection:
    """Change some keys of a section, and validate it again.

    Parameters
    ----------
    section : Section
    **changes
        Keys and their values; those that are None stay as they are.

    Returns
    -------
    Section
        Of the same type.

    Raises
    ------
    UserError
        With everything that is wrong.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return type(section).model_validate(dict(section) | given)
    except ValidationError as error:
        raise UserError(*(mistakes.message(each, type(section)) for each in error.errors())) from error


def read_document(path: Path) -> document.Document:
    """Read the YAML of a file.

    Raises
    ------
    UserError
        If it cannot be read, is no text, or no YAML.
    """
    try:
        return document.parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        message = f"{path}: cannot be read as text; expected a recipe: YAML, saved as UTF-8"
        raise UserError(message) from error
    except OSError as error:
        raise UserError(f"{path}: it cannot be read ({error.strerror or error})") from error


def _place(key: document.Path, path: Path, parsed: document.Document, overridden: list[document.Path]) -> str:
    if any(key[: len(each)] == each[: len(key)] for each in overridden):
        return "override"
    line = parsed.line(key)
    return f"{path}:{line}" if line else str(path)


def read_override(text: str) -> tuple[document.Path, Any]:
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
    parsed = document.parse(value, f"override {text!r}")
    if parsed.duplicates:
        raise UserError(*parsed.duplicates)
    return tuple(int(step) if step.isdecimal() else step for step in steps), parsed.value


def override(value: Any, path: document.Path, new: Any) -> Any:
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


def _opened(value: Any, step: str | int, path: document.Path) -> dict | list:
    if value is None:
        return {}
    if isinstance(value, str) and value == step:
        return {value: {}}
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
        return value
    kind = f"a list of {len(value)}, counted from 0" if isinstance(value, list) else repr(value)
    raise UserError(f"override {dotted((*path, step))}: there is no {step!r} here: {dotted(path)} is {kind}")


def apply(value: Any, overrides: Sequence[str]) -> tuple[Any, list[document.Path], list[str]]:
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
    paths, wrong = [], []
    for text in overrides:
        try:
            path, new = read_override(text)
            value = override(value, path, new)
            paths.append(path)
        except UserError as error:
            wrong.extend(error.messages)
    return value, paths, wrong
