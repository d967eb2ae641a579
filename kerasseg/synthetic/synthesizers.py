"""What can make data, by the name of what it makes."""

from __future__ import annotations

from collections.abc import Callable

from kerasseg.synthetic import cells, golgi, slide

SYNTHESIZERS: dict[str, Callable[..., None]] = {
    "cells": cells.synthesize,
    "golgi": golgi.synthesize,
    "slide": slide.synthesize,
}
"""From a name to a function of a folder and ``seed=``; `kerasseg data synthesize` has a verb for each."""
