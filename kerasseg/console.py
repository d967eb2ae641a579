"""What a person sees while they wait (bars on a terminal, plain lines elsewhere), and what a log keeps."""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kerasseg.errors import ALIKE, Fallback, Notice, kind_of

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
def saying_warnings(fallbacks: list[str]) -> Iterator[None]:
    """Print fallbacks and notices, each once; notices of one kind are counted after a few.

    Parameters
    ----------
    fallbacks : list of str
        What takes the place of what was asked for is added to it; what is in it is not printed again.
    """
    notices, kinds = set(), Counter()
    with warnings.catch_warnings():
        for category in (Fallback, Notice):
            warnings.simplefilter("always", category)
        show = warnings.showwarning

        def show_warning(message: Warning, category: type[Warning], *place: object) -> None:
            text = str(message)
            if issubclass(category, Notice) and text not in notices:
                notices.add(text)
                kinds[kind_of(text)] += 1
                if kinds[kind_of(text)] <= ALIKE:
                    say(f"note: {text}", style="yellow")
            elif issubclass(category, Fallback) and text not in fallbacks:
                fallbacks.append(text)
                say(f"FALLBACK: {text}", style="bold yellow")
            elif not issubclass(category, Fallback | Notice):
                show(message, category, *place)

        warnings.showwarning = show_warning
        try:
            yield
        finally:
            for kind, count in kinds.items():
                if count > ALIKE:
                    say(f"note: ... and {count - ALIKE:,} more like these: {' '.join(kind)}", style="yellow")


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
