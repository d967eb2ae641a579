"""The samples of a source; or synthetic ones, said in the open, where a recipe allows them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.errors import Fallback, UserError, naming
from kerasseg.images.masks import IGNORE, merge_classes, one_hot
from kerasseg.synthetic.origin import is_synthetic


def collect(
    source: Callable[..., list[Sample]],
    root: Path,
    classes: Sequence[str],
    *,
    ignored: Sequence[str] = (),
    multilabel: bool = False,
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
    ignored : sequence of str, optional
        Further names in the annotations, whose pixels become 255 (ignored) and whose objects are dropped.
    multilabel : bool, default False
        Whether a pixel may be of several classes. Masks of all sources become a channel for each class
        ``(..., K)`` if so, and class ids ``(...)`` if not.
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
        samples = source(classes=[*classes, *ignored])
    except MissingData:
        if synthesize is None:
            raise
        synthesize()
        samples = source(classes=[*classes, *ignored])
    if is_synthetic(root):
        warnings.warn(f"SYNTHETIC data: {root} holds drawn look-alikes, not cells", Fallback, stacklevel=2)
    options = {"classes": list(classes), "ignored": len(ignored), "multilabel": multilabel}
    return [replace(sample, annotate=partial(_annotate, sample, **options)) for sample in samples]


def _annotate(sample: Sample, classes: Sequence[str], ignored: int, multilabel: bool) -> Annotation:
    """Bring a mask into the one form that a recipe's masks have; this is the only place that decides it."""
    annotation = sample.annotate()
    channelled = annotation.mask.ndim > len(sample.size)
    if ignored:
        annotation = _without_ignored(annotation, len(classes), channelled)
    if not multilabel and channelled:
        with naming(sample.name):
            return replace(annotation, mask=merge_classes(annotation.mask, classes))
    if multilabel and not channelled:
        return replace(annotation, mask=one_hot(annotation.mask, range(1, len(classes) + 1)))
    return annotation


def _without_ignored(annotation: Annotation, count: int, channelled: bool) -> Annotation:
    """Ignore the pixels of all classes after the first `count`, and drop their objects."""
    mask = annotation.mask
    pixels = (mask[..., count:] == 1).any(axis=-1) if channelled else (mask > count) & (mask != IGNORE)
    mask = mask[..., :count].copy() if channelled else mask.copy()
    mask[pixels] = IGNORE
    labels = None if annotation.labels is None else np.where(pixels, 0, annotation.labels)
    return Annotation(mask, labels)


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
