"""Samples by the name of their source; or synthetic ones, said in the open, where a recipe allows them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.data.sources import SOURCES
from kerasseg.data.targets import class_ids, one_hot
from kerasseg.errors import Fallback, UserError
from kerasseg.synthetic.cells import synthesize
from kerasseg.synthetic.origin import is_synthetic


def _cells(arguments: Mapping[str, Any], seed: int) -> None:
    synthesize(Path(arguments["root"]), seed=seed)


def _golgi(arguments: Mapping[str, Any], seed: int) -> None:
    from kerasseg.synthetic import golgi  # scipy, which only those who draw volumes should wait for

    masks_only = "images" in arguments and arguments["images"] is None
    golgi.synthesize(Path(arguments["root"]), seed=seed, masks_only=masks_only)


MAKERS: dict[str, Callable[..., None]] = {"sartorius": _cells, "volumes": _golgi}
"""What writes synthetic data in a source's layout: a function of the source's arguments and a seed."""


def collect(
    source: str,
    arguments: Mapping[str, Any],
    classes: Sequence[str],
    *,
    exclusive: bool = True,
    if_missing: str = "error",
    seed: int = 0,
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
    exclusive : bool, default True
        Whether a pixel is of one class at most. Masks of all sources become class ids ``(...)`` if so, and a
        channel for each class ``(..., K)`` if not.
    if_missing : {"error", "synthesize"}
        What to do where the root does not exist.
    seed : int, default 0
        Of what is made there.

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
        if if_missing != "synthesize" or source not in MAKERS:
            raise
        MAKERS[source](arguments, seed)
        samples = SOURCES[source](classes=list(classes), **arguments)
    if is_synthetic(root):
        warnings.warn(f"SYNTHETIC data: {root} holds drawn look-alikes, not cells", Fallback, stacklevel=2)
    told = {"classes": list(classes), "exclusive": exclusive}
    return [replace(each, annotate=partial(_annotate, each, **told)) for each in samples]


def _annotate(sample: Sample, classes: Sequence[str], exclusive: bool) -> Annotation:
    """Bring a mask into the one form that a recipe's masks have; this is the only place that decides it."""
    annotation = sample.annotate()
    channelled = annotation.mask.ndim > len(sample.size)
    if exclusive and channelled:
        return replace(annotation, mask=class_ids(annotation.mask, classes, sample.name))
    if not exclusive and not channelled:
        return replace(annotation, mask=one_hot(annotation.mask, range(1, len(classes) + 1)))
    return annotation


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
