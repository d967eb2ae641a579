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
from kerasseg.recipe.overrides import apply
from kerasseg.recipe.recipe import Recipe
from kerasseg.recipe.section import Section
from kerasseg.recipe.shipped import find

AnySection = TypeVar("AnySection", bound=Section)
Message = Callable[[ErrorDetails, type[Section]], str]


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
    return validated(Recipe, find(path), overrides)


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
        From what pydantic found wrong with a key, and `whole`, to words.
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
    parsed = document.parse(_text(path), str(path))
    if not isinstance(parsed.value, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys; got {mistakes.shown(parsed.value)}")
    value, overridden, wrong = apply(parsed.value, overrides)
    try:
        section = whole.model_validate(value, context=context)
    except ValidationError as error:
        wrong += [
            f"{_where(each['loc'], path, parsed, overridden)}: {message(each, whole)}"
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{path}: cannot be read as text; expected a recipe: YAML, saved as UTF-8"
        raise UserError(message) from error
    except OSError as error:
        raise UserError(f"{path}: it cannot be read ({error.strerror or error})") from error


def _where(key: document.Path, path: Path, parsed: document.Document, overridden: list[document.Path]) -> str:
    """Name the line of a key, or that it was overridden."""
    if any(key[: len(each)] == each[: len(key)] for each in overridden):
        return "override"
    line = parsed.line(key)
    return f"{path}:{line}" if line else str(path)
