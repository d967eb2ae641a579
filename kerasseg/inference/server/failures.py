"""What a server may answer instead of probabilities, whatever it is asked by; and when to ask again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # in seconds

Answer = TypeVar("Answer")


class Failure(Exception):
    """A request had no answer; the message is the server's own."""


class Unavailable(Failure):
    """Nobody answered in time, or the server is busy: the same request may be answered later."""


class Exhausted(Failure):
    """The request was too much for the server: a smaller one may be answered."""


class Absent(Failure):
    """The server has no such model or version."""


class Refused(Failure):
    """The server does not answer this request, however often it is asked."""


def refusal(message: str) -> Failure:
    """Tell what is refused for good from what exceeds TensorFlow Serving's `max_batch_size`."""
    return Exhausted(message) if "larger than maximum input batch size" in message else Refused(message)


def insist(
    ask: Callable[[], Answer],
    patience: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> Answer:
    """Ask again while the server is unavailable, after waits that double and are shortened at random.

    Parameters
    ----------
    ask : callable
        Gives the answer, or raises a `Failure`.
    patience : float
        For how many seconds to go on.
    sleep, clock, chance : callable
        Wait for seconds, tell seconds, draw from [0, 1).

    Returns
    -------
    object
        The answer.

    Raises
    ------
    Failure
        The last `Unavailable` when patience is over; any other at once.

    References
    ----------
    Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: many clients that wait alike come
    back all at once.
    """
    began, wait = clock(), FIRST_WAIT
    while True:
        try:
            return ask()
        except Unavailable:
            pause = wait * (0.5 + chance() / 2)
            if clock() + pause - began > patience:
                raise
        sleep(pause)
        wait = min(2 * wait, LONGEST_WAIT)
