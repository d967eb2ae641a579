"""The samples of a source; or synthetic ones, said in the open, where a recipe allows them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.data.targets import class_ids, one_hot
from kerasseg.errors import Fallback, UserError
from kerasseg.synthetic.origin import is_synthetic


def collect(
    source: Callable[..., list[Sample]],
    root: Path,
    classes: Sequence[str],
    *,
    exclusive: bool = True,
    synthesize: Callable[[], None] | None = None,
) -> list[Sample]:
    """List the samples of a source.

    Parameters
    ----------
    source : callable
        A function of `kerasseg.data.sources`, or one like it, all its arguments filled in but ``classes``.
    root : Path
        The folder that it lists.
    classes : sequence of str
        Names of the foreground classes.
    exclusive : bool, default True
        Whether a pixel is of one class at most. Masks of all sources become class ids ``(...)`` if so, and a
        channel for each class ``(..., K)`` if not.
    synthesize : callable, optional
        Draws synthetic data at a root that does not exist; without it, that is an error.

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
    try:
        samples = source(classes=list(classes))
    except MissingData:
        if synthesize is None:
            raise
        synthesize()
        samples = source(classes=list(classes))
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
