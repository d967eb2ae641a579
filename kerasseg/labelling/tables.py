"""Tables whose rows are dataclasses: CSV with a column for each field.

Files are written with the columns in the order of the fields and LF at line ends. Columns in another order, a
spreadsheet's byte order mark and its line ends are understood; every mistake is named, with its line.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from kerasseg.errors import Mistakes, UserError, unknown

Row = TypeVar("Row")

Check = Callable[[str], Any]
"""From the text of a cell to its value; its ValueError says what was expected."""


def columns(row_type: type) -> list[str]:
    """List the columns of a table of such rows."""
    return [field.name for field in fields(row_type)]


def to_csv(rows: Iterable[Any], row_type: type, cell: Callable[[Any], Any] = lambda value: value) -> str:
    """Write rows as CSV; `cell` says how a value is written."""
    text, names = io.StringIO(), columns(row_type)
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([cell(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def read_text(path: Path) -> str:
    """Read a file of UTF-8.

    Raises
    ------
    UserError
        If it is something else.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this is not UTF-8 ({error}); save it as CSV in UTF-8") from error


def read(
    path: Path, row_type: type[Row], remedy: str, checks: Mapping[str, Check] | None = None
) -> list[Row]:
    """Read a table that a command wrote.

    Parameters
    ----------
    path : Path
        The file.
    row_type : type
        The dataclass.
    remedy : str
        What makes the file, such as ``"crop the slide"``.
    checks : mapping, optional
        See :func:`parse`.

    Raises
    ------
    UserError
        If the file is missing, or with everything that is wrong with it.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; {remedy} first")
    mistakes = Mistakes()
    rows = [row for _, row in parse(read_text(path), path, row_type, mistakes, checks)]
    if mistakes.messages:
        mistakes.add(f"{path}: remove this file and {remedy} again")
    mistakes.check()
    return rows


def parse(
    text: str, path: Path, row_type: type[Row], mistakes: Mistakes, checks: Mapping[str, Check] | None = None
) -> Iterator[tuple[int, Row]]:
    """Read rows from CSV.

    Parameters
    ----------
    text : str
        The content of the file.
    path : Path
        Its name, for messages.
    row_type : type
        The dataclass, with fields of the types str, int and float where `checks` does not name them.
    mistakes : Mistakes
        Gets everything that is wrong; wrong lines are left out.
    checks : mapping of str to callable, optional
        How the cells of some columns are read.

    Yields
    ------
    tuple of int and Row
        The number of the line, and what stands there.
    """
    types = get_type_hints(row_type)
    table = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = next(table, [])
        if problems := list(_header_problems(header, columns(row_type))):
            for problem in problems:
                mistakes.add(f"{path}: line 1: {problem}")
            mistakes.add(f"{path}: expected {','.join(columns(row_type))} in the first line")
            return
        column_checks = [(name, (checks or {}).get(name) or _CHECKS[types[name]]) for name in header]
        for cells in filter(None, table):
            try:
                values = {name: check(cell) for (name, check), cell in zip(column_checks, cells, strict=True)}
            except ValueError:
                mistakes.add(
                    f"{path}: line {table.line_num}: {'; '.join(_line_problems(column_checks, cells))}"
                )
            else:
                yield table.line_num, row_type(**values)
    except csv.Error as error:
        mistakes.add(f"{path}: line {table.line_num}: this is not CSV ({error})")


def _header_problems(header: list[str], names: list[str]) -> Iterator[str]:
    for name in header:
        if name not in names:
            yield unknown("column", name, names)
    for name in names:
        if name not in header:
            yield f"there is no column {name}"
        elif header.count(name) > 1:
            yield f"column {name} is there twice"


def _line_problems(column_checks: Sequence[tuple[str, Check]], cells: list[str]) -> Iterator[str]:
    if len(cells) != len(column_checks):
        yield f"it has {len(cells)} cells; expected {len(column_checks)}"
        return
    for (name, check), cell in zip(column_checks, cells, strict=True):
        try:
            check(cell)
        except ValueError as error:
            yield f"{name} is {cell!r}; expected {error}"


def count(cell: str) -> int:
    """Read a whole number from 0."""
    if not cell.isascii() or not cell.isdecimal():
        raise ValueError("a whole number from 0")
    return int(cell)


def number(cell: str) -> float:
    """Read a number, which may be infinite or NaN."""
    try:
        return float(cell)
    except ValueError:
        raise ValueError("a number") from None


def finite(cell: str) -> float:
    """Read a number that is neither infinite nor NaN."""
    value = number(cell)
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


_CHECKS: dict[type, Check] = {str: str, int: count, float: number}
