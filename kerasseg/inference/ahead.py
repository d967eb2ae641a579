"""Fetch what comes next while something else is at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

DEPTH = 2
"""Items that wait at most; what is handed out is not touched before `DEPTH` more were asked for."""

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items that a thread of their own fetches, up to `DEPTH` of them before they are wanted.

    Parameters
    ----------
    items : iterator
        Run in one other thread only.

    Yields
    ------
    object
        Each item in its order; what `items` raises is raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting = deque(thread.submit(next, items, _END) for _ in range(DEPTH))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, items, _END))
            yield item
