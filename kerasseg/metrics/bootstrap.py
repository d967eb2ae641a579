"""Scores of a set of images from what was counted on each: pooled, per image, and how sure they are.

Two averages exist and never share a name: **pooled** counts all images together and scores once; **per
image** scores each image on its own and averages the scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError


def scores(
    counts: Sequence[NamedTuple],
    functions: Mapping[str, Callable[[NamedTuple], np.ndarray]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Score a set of images, pooled and per image, with 95 % intervals over images.

    Parameters
    ----------
    counts : sequence of NamedTuple
        One for each image; its arrays have one shape, and the counts of two images are their sums.
    functions : mapping
        Scores by name: functions of counts whose arrays may have further axes in front.
    resamples : int
        How often the images are drawn again, with replacement.
    seed : int
        Seed of the draws: the same counts always give the same intervals.

    Returns
    -------
    dict of numpy.ndarray
        For each name: the name itself, pooled; with `_per_image` the mean over images that have a score; and
        for both an `..._interval` with a last axis of two. NaN where there is no score.

    Raises
    ------
    UserError
        If there is no image.

    Notes
    -----
    Intervals are percentile bootstrap intervals (Efron 1979, doi:10.1214/aos/1176344552) with the image as
    the unit: pixels and objects of one image are far from independent. One image alone gives an interval of
    no width.
    """
    if not counts:
        raise UserError("there is no image to score")
    images = type(counts[0])(*map(np.stack, zip(*counts, strict=True)))  # arrays (N, ...)
    drawn = draws(len(counts), resamples, seed)
    scored = {}
    for name, score in functions.items():
        scored |= _pooled(name, score, images, drawn) | _per_image(f"{name}_per_image", score, images, drawn)
    return scored


def mean(values: np.ndarray | Sequence, axis: int) -> np.ndarray:
    """Average what is there along an axis; NaN, as everywhere a score without truth, where nothing is."""
    values = np.asarray(values)
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(known.any(axis=axis), total / np.maximum(known.sum(axis=axis), 1), np.nan)


def draws(images: int, resamples: int, seed: int) -> np.ndarray:
    """Draw how often each image is taken in each resample: (resamples, N), rows sum to N."""
    chances = np.full(images, 1 / images)
    return np.random.default_rng(seed).multinomial(images, chances, size=resamples)


def interval(resampled: np.ndarray) -> np.ndarray:
    """Take the middle 95 % of the resamples that have a score: (resamples, ...) to (..., 2)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of no score at all, which is NaN
        return np.moveaxis(np.nanpercentile(resampled, [2.5, 97.5], axis=0), 0, -1)


def _pooled(name: str, score: Callable, images: NamedTuple, drawn: np.ndarray) -> dict[str, np.ndarray]:
    kind = type(images)
    pooled = kind(*(array.sum(axis=0) for array in images))
    resampled = kind(*(np.tensordot(drawn, array, axes=1) for array in images))
    return {name: score(pooled), f"{name}_interval": interval(score(resampled))}


def _per_image(name: str, score: Callable, images: NamedTuple, drawn: np.ndarray) -> dict[str, np.ndarray]:
    each = score(images)
    known = ~np.isnan(each)
    with np.errstate(invalid="ignore"):  # where a resample drew no image with truth
        resampled = (drawn @ np.where(known, each, 0)) / (drawn @ known.astype(float))
    return {name: mean(each, axis=0), f"{name}_interval": interval(resampled)}
