"""What pydantic found, in words: where it stands, what was given, what was expected, what may be meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kerasseg.recipe.document import Path, dotted
from kerasseg.recipe.section import Component, Section

LONGEST = 60  # characters of a value that a message shows
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


def message(error: ErrorDetails, whole: type[Section]) -> str:
    """Say what is wrong with one key.

    Parameters
    ----------
    error : dict
        One of ``ValidationError.errors()``.
    whole : type of Section
        What was validated.

    Returns
    -------
    str
        Such as ``"model.linknet.encodr: unknown key; did you mean 'encoder'?"``.
    """
    path = error["loc"]
    complaint = _complaint(error, keys_at(whole, path[:-1]))
    if error["type"] == "extra_forbidden" and "did you mean" not in complaint:
        places = list(places_of(str(path[-1]), whole))
        below = [found for found in places if found[: len(path) - 1] == path[:-1]]
        nearest = map(dotted, sorted(below or places, key=len)[:MOST_PLACES])
        complaint += f"; there is {' and '.join(nearest)}" if places else ""
    return f"{dotted(path) or 'the recipe'}: {complaint}"


def _complaint(error: ErrorDetails, siblings: list[str]) -> str:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        choices = f"choose one of {', '.join(siblings)}" if siblings else "there is none to set here"
        return f"unknown key; {_nearest(error['loc'][-1], siblings) or choices}"
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


def shown(value: Any) -> str:
    """Write a value as a recipe would, cut where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def keys_at(whole: type[Section], path: Path) -> list[str]:
    """List the keys that may stand at a path, such as ``("model", "linknet")``."""
    here = [whole]
    for step in path:
        here = [inner for section in here for inner in _inside(section, step)]
    return [key for section in here for key in section.model_fields]


def places_of(key: str, section: type[Section], path: Path = ()) -> Iterator[Path]:
    """Find where a key of a name may stand, below a section."""
    for name, field in section.model_fields.items():
        if name == key:
            yield (*path, name)
        for inner in _sections(field.annotation):
            if inner is not section and len(path) < DEEPEST:
                step = (name, inner.name) if issubclass(inner, Component) else (name,)
                yield from places_of(key, inner, (*path, *step))


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
