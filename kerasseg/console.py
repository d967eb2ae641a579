"""What a person sees while they wait (bars on a terminal, plain lines elsewhere), and what a log keeps."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kerasseg.errors import Fallback, Notice

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


@contextmanager
def saying_fallbacks(said: list[str]) -> Iterator[None]:
    """Say notices, and what takes the place of what was asked for, each once; add the latter to `said`."""
    noticed: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", Fallback)
        warnings.simplefilter("always", Notice)
        show = warnings.showwarning

        def show_warning(message: Warning, category: type[Warning], *place: object) -> None:
            if issubclass(category, Notice):
                if str(message) not in noticed:
                    noticed.add(str(message))
                    say(f"note: {message}", style="yellow")
            elif not issubclass(category, Fallback):
                show(message, category, *place)
            elif str(message) not in said:
                said.append(str(message))
                say(f"FALLBACK: {message}", style="bold yellow")

        warnings.showwarning = show_warning
        yield


def track(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    reached: Callable[[Item], int] | None = None,
) -> Iterator[Item]:
    """Yield `items` while showing how far they are.

    Parameters
    ----------
    items : iterable
        What is worked through.
    description : str
        What is done to each, such as ``"reading images"``.
    total : int, optional
        How far it is to the end; ``len(items)`` by default.
    reached : callable, optional
        From an item to how far it brings us; one step each by default.

    Yields
    ------
    object
        Each item in its order.
    """
    total = len(items) if total is None else total
    with _bar(description, total) if console.is_terminal else _lines(description, total) as show:
        for number, item in enumerate(items, start=1):
            yield item
            show(reached(item) if reached else number)


@contextmanager
def _bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def _lines(description: str, total: int) -> Iterator[Callable[[int], None]]:
    printed = time.monotonic()

    def show(done: int) -> None:
        nonlocal printed
        if time.monotonic() - printed > SECONDS_BETWEEN_LINES and done < total:
            printed = time.monotonic()
            console.print(f"{description} {done}/{total}")

    yield show
