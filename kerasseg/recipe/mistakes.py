"""What pydantic found, in words: where it stands, what was given, what was expected, what may be meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kerasseg.recipe.document import Path, dotted, shown
from kerasseg.recipe.section import Component, Section

MOST_PLACES = 2  # where else a key may stand, that a message lists
DEEPEST = 6  # steps of a path that are looked for
SEVERAL = "several"  # type of an error that stands for several: where each is inside the key, and its text


def unfolded(errors: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Yield each error, and each that stands for `SEVERAL` as those that it stands for."""
    for error in errors:
        if error["type"] != SEVERAL:
            yield error
            continue
        for place, text in error["ctx"]["found"]:
            yield {**error, "type": "component", "loc": (*error["loc"], *place), "msg": text}


def message(error: ErrorDetails, whole: type[Section], value: Any = None) -> str:
    """Say what is wrong with one key.

    Parameters
    ----------
    error : dict
        One of ``ValidationError.errors()``.
    whole : type of Section
        What was validated.
    value : object, optional
        What was given for all of it, whose components decide where a key may stand.

    Returns
    -------
    str
        Such as ``"model.linknet.encodr: unknown key; did you mean 'encoder'?"``.
    """
    path = error["loc"]
    complaint = _unknown(path, whole, value) if error["type"] == "extra_forbidden" else _complaint(error)
    return f"{dotted(path) or 'the recipe'}: {complaint}"


def _unknown(path: Path, whole: type[Section], value: Any) -> str:
    """Say of what else a key is one, which of its neighbours it may be meant for, or where it may stand."""
    key = str(path[-1])
    neighbours = sections_at(whole, path[:-2]) if path[:-1] else []
    owners = [each.name for each in neighbours if issubclass(each, Component) and key in each.model_fields]
    if owners:
        return f"{key} belongs to {' and '.join(owners)}, and not to {path[-2]}; take it out"
    siblings = [name for section in sections_at(whole, path[:-1]) for name in section.model_fields]
    if hint := _nearest(key, siblings):
        return f"unknown key; {hint}"
    if places := list(places_of(key, whole, value)):
        chosen = [place for place, is_chosen in places if is_chosen] or [place for place, _ in places]
        below = [place for place in chosen if place[: len(path) - 1] == path[:-1]]
        nearest = map(dotted, sorted(below or chosen, key=len)[:MOST_PLACES])
        return f"unknown key; there is {' and '.join(nearest)}"
    return f"unknown key; choose one of {', '.join(siblings)}" if siblings else "unknown key; it takes none"


def _complaint(error: ErrorDetails) -> str:
    kind, given = error["type"], error["input"]
    if kind == "missing":
        return "is missing; this key has no default"
    if kind == "invalid_key":
        return "a key must be text; put it in quotes"
    if kind == "literal_error":
        return f"{_expected(error)}, got {shown(given)}{_meant(given, error['ctx']['expected'])}"
    if kind == "component":
        return error["msg"]
    return f"{_expected(error)}, got {shown(given)}"


def _expected(error: ErrorDetails) -> str:
    if error["type"] in ("model_type", "dict_type"):
        return "must be a mapping of keys"
    if error["type"] == "string_pattern_mismatch":
        return "must be letters, digits, dots, dashes and underscores"
    text = error["msg"]
    for pydantic, ours in EXPECTATIONS.items():
        text = text.replace(pydantic, ours)
    return text[0].lower() + text[1:]


EXPECTATIONS = {
    "Input should be ": "must be ",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid list": "a list, such as [a, b]",
    "a valid tuple": "a list, such as [1, 2]",
    " after validation, not 0": "",
}


def _nearest(given: Any, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(given), choices, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def _meant(given: Any, expected: str) -> str:
    nearest = _nearest(given, expected.replace(" or ", ", ").replace("'", "").split(", "))
    return f"; {nearest}" if nearest else ""


def sections_at(whole: type[Section], path: Path) -> list[type[Section]]:
    """List the sections that may stand at a path, such as ``("model", "linknet")``."""
    here = [whole]
    for step in path:
        here = [inner for section in here for inner in _inside(section, step)]
    return here


def places_of(
    key: str, section: type[Section], value: Any, path: Path = (), chosen: bool = True
) -> Iterator[tuple[Path, bool]]:
    """Find where a key may stand below a section, and whether components on the way are those of `value`."""
    value = value if isinstance(value, Mapping) else {}
    for name, field in section.model_fields.items():
        if name == key:
            yield (*path, name), chosen
        given = value.get(name, field.default)
        for inner in _sections(field.annotation):
            if inner is section or len(path) >= DEEPEST:
                continue
            if issubclass(inner, Component):
                is_given = inner.name in (given, getattr(given, "name", None), *_keys(given))
                arguments = given[inner.name] if inner.name in _keys(given) else None
                yield from places_of(key, inner, arguments, (*path, name, inner.name), chosen and is_given)
            else:
                yield from places_of(key, inner, given, (*path, name), chosen)


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, Mapping) else []


def _inside(section: type[Section], step: str | int) -> list[type[Section]]:
    if issubclass(section, Component) and step == section.name:
        return [section]
    field = section.model_fields.get(step)
    return list(_sections(field.annotation)) if field else []


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
