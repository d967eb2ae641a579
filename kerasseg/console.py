"""What a person sees while they wait (bars on a terminal, plain lines elsewhere), and what a log keeps."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
log = logging.getLogger("kerasseg")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.NullHandler())

SECONDS_BETWEEN_LINES = 5.0

Item = TypeVar("Item")


def say(message: str, style: str | None = None) -> None:
    """Print a message as it is, without rich's markup, and keep it in the log of the run if there is one."""
    console.print(message, style=style, markup=False)
    log.info(message)


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
