"""When to ask again, without waiting for it."""

import pytest

from kerasseg.inference.server.failures import Refused, Unavailable, insist


class Time:
    """A clock that moves when someone sleeps."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def asked(failures, patience=100.0, chance=1.0):
    time, left = Time(), list(failures)

    def ask():
        if left:
            raise left.pop(0)
        return "answer"

    how = {"sleep": time.sleep, "clock": lambda: time.now, "chance": lambda: chance}
    return (lambda: insist(ask, patience, **how)), time


def test_waits_double_up_to_a_limit():
    ask, time = asked([Unavailable()] * 8)
    assert ask() == "answer"
    assert time.slept == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


def test_chance_shortens_waits_to_half():
    ask, time = asked([Unavailable()] * 3, chance=0.0)
    ask()
    assert time.slept == [0.1, 0.2, 0.4]


def test_patience_ends_with_the_last_failure():
    ask, time = asked([Unavailable("first"), Unavailable("second"), Unavailable("last"), Unavailable()], 1.0)
    with pytest.raises(Unavailable, match="last"):
        ask()
    assert time.now <= 1.0


def test_what_will_not_change_is_not_asked_again():
    ask, time = asked([Refused()])
    with pytest.raises(Refused):
        ask()
    assert time.slept == []
