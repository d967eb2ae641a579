"""YAML as recipes need it: the types of YAML 1.2, no key given twice, and the line of every key.

PyYAML reads YAML 1.1, where ``1e-3`` is text, ``no`` is false and ``12:30`` is 750; editors read
1.2. So do we.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from kerasseg.errors import UserError

Path = tuple[str | int, ...]
"""Where a value stands: ``("data", "augment", 0)``."""

LONGEST = 60  # characters of a value that a message shows

TYPES = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"(?=.*[.eE])[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}


class Loader(yaml.SafeLoader):
    """A safe loader that knows the types of YAML 1.2's core schema and no others."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's own way)


class Dumper(yaml.SafeDumper):
    """A safe dumper that puts text in quotes which either version of YAML would take for something else."""


for name, pattern in TYPES.items():
    for way in (Loader, Dumper):
        way.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(f"^(?:{pattern})$"), None)


@dataclass
class Document:
    """A parsed text: its value, the line of every key, and the keys that are given twice."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """Give the line of a key, or of the nearest section around it; None where there is neither."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def parse(text: str, name: str) -> Document:
    """Parse YAML.

    Parameters
    ----------
    text : str
        The YAML.
    name : str
        What it is called in messages: a file's path, or an override.

    Returns
    -------
    Document
        Its value and what is known of its keys.

    Raises
    ------
    UserError
        If it is not YAML; with the line.
    """
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        document = Document(None)
        _note_keys(node, document, name)  # before `<<` brings the keys of others, which may be given again
        document.value = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UserError(_not_yaml(error, name)) from error
    except RecursionError as error:
        raise UserError(f"{name}: nested too deeply, or an alias that contains itself") from error
    return document


def _not_yaml(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = f"{name}:{mark.line + 1}" if mark else name
    if "'\\t'" in problem:
        return f"{where}: not valid YAML: line {mark.line + 1} holds a tab; YAML is indented by spaces"
    return f"{where}: not valid YAML: {problem}"


def _note_keys(node: yaml.Node | None, document: Document, name: str) -> None:
    for path, line in _keys(node, ()):
        if path in document.lines:
            twice = f"given twice, first on line {document.lines[path]}; keep one"
            document.duplicates.append(f"{name}:{line}: {dotted(path)}: {twice}")
        document.lines.setdefault(path, line)


def _keys(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, int]]:
    for key, child in _children(node):
        yield (*path, key), child.start_mark.line + 1
        yield from _keys(child, (*path, key))


def _children(node: yaml.Node | None) -> Iterator[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, child) for key, child in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)


def write(value: Any) -> str:
    """Write plain values as YAML that `parse` reads back as they were."""
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def dotted(path: Path) -> str:
    """Write a key's path as it is typed on a command line.

    Examples
    --------
    >>> dotted(("data", "augment", 0))
    'data.augment.0'
    """
    return ".".join(map(str, path))


def shown(value: Any) -> str:
    """Write a value as a recipe would, cut where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
