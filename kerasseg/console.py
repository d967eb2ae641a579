"""What a person sees while they wait: rich bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)

SECONDS_BETWEEN_LINES = 5.0

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` while showing how far they are.

    Parameters
    ----------
    items : iterable
        What is worked through.
    description : str
        What is done to each, such as ``"reading images"``.
    total : int, optional
        How many there are; ``len(items)`` by default.

    Yields
    ------
    object
        Each item in its order.
    """
    total = len(items) if total is None else total
    yield from _bar(items, description, total) if console.is_terminal else _lines(items, description, total)


def _bar(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total=total, description=description)


def _lines(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    printed = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - printed > SECONDS_BETWEEN_LINES:
            printed = time.monotonic()
            console.print(f"{description} {done}/{total}")
        yield item
