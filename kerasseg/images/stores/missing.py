"""What HDF5 and Zarr leave out: chunks that were never written hold the fill value, by the formats' own rule.

A lost chunk looks like one that its writer left out, so it is said how many there are.
"""

from __future__ import annotations

from kerasseg.console import say

MOST_SAID = 5  # arrays that are named, of a data set that may have thousands

_said: set[str] = set()


def say_missing(array: str, missing: int, expected: int, fill: str) -> None:
    """Say, once for each of the first arrays, how many of its chunks are filled."""
    if missing == 0 or array in _said or len(_said) > MOST_SAID:
        return
    _said.add(array)
    if len(_said) > MOST_SAID:
        say(f"... and {array}; more arrays like these are not named")
        return
    say(
        f"{array}: {missing} of {expected} chunks are missing; they are read as {fill}, as the format says. "
        "If its writer never leaves chunks out, copy it again"
    )
