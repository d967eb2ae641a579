"""Samples by the name of their source; or synthetic ones, said in the open, where a recipe allows them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseg.data.sample import MissingData, Sample
from kerasseg.data.sources import SOURCES
from kerasseg.data.synthetic import is_synthetic, synthesize
from kerasseg.errors import Fallback, UserError

LAYOUT = "sartorius"
"""The source whose layout synthetic data have."""


def collect(
    source: str, arguments: Mapping[str, Any], classes: Sequence[str], *, if_missing: str = "error"
) -> list[Sample]:
    """List the samples of a source.

    Parameters
    ----------
    source : str
        A name in `kerasseg.data.sources.SOURCES`.
    arguments : mapping
        Of that source; ``root`` among them.
    classes : sequence of str
        Names of the foreground classes.
    if_missing : {"error", "synthesize"}
        What to do where the root does not exist.

    Returns
    -------
    list of Sample

    Warns
    -----
    Fallback
        If the data are synthetic, now or from an earlier run.

    Raises
    ------
    UserError
        With everything that is wrong with the data.
    """
    root = Path(arguments["root"])
    try:
        samples = SOURCES[source](classes=list(classes), **arguments)
    except MissingData:
        if if_missing != "synthesize" or source != LAYOUT:
            raise
        synthesize(root)
        samples = SOURCES[source](classes=list(classes), **arguments)
    if is_synthetic(root):
        warnings.warn(f"SYNTHETIC data: {root} holds drawn look-alikes, not cells", Fallback, stacklevel=2)
    return samples


def channels(samples: Sequence[Sample]) -> int:
    """Count the channels that all images have as they are stored.

    Raises
    ------
    UserError
        If they differ.
    """
    found = {sample.header().channels: sample.image for sample in samples}
    if len(found) > 1:
        shown = ", ".join(f"{count} in {path}" for count, path in sorted(found.items()))
        raise UserError(
            f"data.channels: null keeps channels as stored, but they differ ({shown}): set a number"
        )
    return next(iter(found))
