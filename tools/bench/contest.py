"""Contenders in processes of their own, which take turns at works that all of them know."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Work = Callable[[], object]


def contend(
    works: Mapping[str, Work], told: object = "ready", clock: Callable[[], float] = time.perf_counter
) -> None:
    """Be a contender: say how long a work takes by a clock, whenever a line comes in that names it.

    What is `told` is said before. A work that this contender does not do takes nan.
    """
    print(told, flush=True)
    for line in sys.stdin:
        work, began = works.get(line.strip()), clock()
        if work:
            work()
        print(clock() - began if work else math.nan, flush=True)


class Contender:
    """A contender in a process of its own: what it `told`, and after how many seconds (`first`)."""

    def __init__(self, arguments: Sequence[str], interpreter: str = sys.executable) -> None:
        began = time.perf_counter()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        command = [interpreter, *arguments]
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.told = self._answer().strip()
        self.first = time.perf_counter() - began

    def time(self, work: str) -> float:
        """Seconds that a work takes now."""
        print(work, file=self.process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{' '.join(self.process.args)} ended; run it alone to see why")
        return answer


def in_turns(contenders: Sequence[Contender], works: Sequence[str], rounds: int) -> np.ndarray:
    """Let all take turns: seconds, (rounds, contenders, works)."""
    return np.array([[[each.time(work) for work in works] for each in contenders] for _ in range(rounds)])
