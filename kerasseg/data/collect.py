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
from kerasseg.images.masks import BACKGROUND, IGNORE, merge_classes, one_hot
from kerasseg.images.stores.store import Region
from kerasseg.synthetic.origin import is_synthetic


def collect(
    source: Callable[..., list[Sample]],
    root: Path,
    classes: Sequence[str],
    *,
    ignored: Sequence[str] = (),
    background: Sequence[str] = (),
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
    background : sequence of str, optional
        Further names in the annotations, whose pixels become 0 (background) and whose objects are dropped.
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
    named = [*classes, *ignored, *background]
    try:
        samples = source(classes=named)
    except MissingData:
        if synthesize is None:
            raise
        synthesize()
        samples = source(classes=named)
    if is_synthetic(root):
        message = f"SYNTHETIC data: {root} holds drawn look-alikes, not real images"
        warnings.warn(message, Fallback, stacklevel=2)
    others = [IGNORE] * len(ignored) + [BACKGROUND] * len(background)
    options = {"classes": list(classes), "others": others, "multilabel": multilabel}
    return [replace(sample, annotate=partial(_annotate, sample, **options)) for sample in samples]


def _annotate(
    sample: Sample,
    region: Region | None = None,
    *,
    classes: Sequence[str],
    others: Sequence[int],
    multilabel: bool,
) -> Annotation:
    """Bring a mask into the one form that a recipe's masks have; this is the only place that decides it."""
    annotation = sample.annotated(region)
    channelled = annotation.mask.ndim > len(sample.size)
    if others:
        annotation = _without(annotation, len(classes), others, channelled)
    if not multilabel and channelled:
        with naming(sample.name):
            return replace(annotation, mask=merge_classes(annotation.mask, classes))
    if multilabel and not channelled:
        return replace(annotation, mask=one_hot(annotation.mask, range(1, len(classes) + 1)))
    return annotation


def _without(annotation: Annotation, count: int, others: Sequence[int], channelled: bool) -> Annotation:
    """Give the pixels of all classes after the first `count` what they are instead; drop their objects."""
    whole, labels = annotation.mask, annotation.labels
    mask = whole[..., :count].copy() if channelled else whole.copy()
    for number, instead in enumerate(others, start=count):
        pixels = whole[..., number] == 1 if channelled else whole == number + 1
        if instead != BACKGROUND or not channelled:  # a channel that is left out is in no other one
            mask[pixels] = instead
        labels = None if labels is None else np.where(pixels, 0, labels)
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
