"""What can make data, by the name of what it makes."""

from __future__ import annotations

from collections.abc import Callable

from kerasseg.data import golgi, synthetic, synthetic_slide

SYNTHESIZERS: dict[str, Callable[..., None]] = {
    "cells": synthetic.synthesize,
    "golgi": golgi.synthesize,
    "slide": synthetic_slide.synthesize,
}
"""From a name to a function of a folder and ``seed=``; `kerasseg data synthesize` has a verb for each."""
