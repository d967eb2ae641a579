"""What HDF5 and Zarr leave out: chunks that were never written hold the fill value, by the formats' own rule.

A lost chunk looks like one that its writer left out, so it is said how many there are.
"""

from __future__ import annotations

from functools import cache

from kerasseg.console import say


@cache
def say_missing(array: str, missing: int, expected: int, fill: str) -> None:
    """Say, once for each array, how many of its chunks are filled."""
    if missing:
        say(
            f"{array}: {missing} of {expected} chunks are not there; they are read as {fill}, as the format "
            "means it. If its writer leaves out no chunks, copy it again"
        )
