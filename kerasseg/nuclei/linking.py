"""Which outlines of different slices are one nucleus.

A nucleus moves little from slice to slice, and a stack drifts: so each is looked for where it was last seen,
all at once, and as many as possible are joined over the least sum of distances (Kuhn 1955,
doi:10.1002/nav.3800020109). Who measures from where a nucleus was first seen loses it under drift, as
`kerasseg.nuclei.published` shows.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from kerasseg.errors import Notice
from kerasseg.nuclei.detection import Outline

FARTHEST = 0.35  # diameters that a nucleus moves from one sighting to the next
GROWTH = 2  # times that its area grows or shrinks meanwhile
GAP = 2  # slices running in which it may be missed


@dataclass(frozen=True)
class Sighting:
    """A nucleus in a slice: a row of ``nuclei.csv`` without its crop.

    Attributes
    ----------
    slice : int
        Counted from 0.
    y, x : float
        The centre in pixels.
    major, minor, angle : float
        Axes of the ellipse in pixels, and the angle of the first in degrees from +x towards +y.
    area : float
        Pixels inside the outline.
    touches_border : bool
        Whether the slice's border cuts it.
    score : float
        Of the outline; 0 where the nucleus was missed between two sightings, and lies where it was before.
    """

    slice: int
    y: float
    x: float
    major: float
    minor: float
    angle: float
    area: float
    touches_border: bool
    score: float


def sighted(outline: Outline, number: int) -> Sighting:
    """Describe an outline of a slice, to a hundredth of a pixel; scores to a thousandth."""
    lengths = (*outline.centre, *outline.ellipse, outline.area)
    return Sighting(
        number, *(round(length, 2) for length in lengths), outline.touches_border, round(outline.score, 3)
    )


def link(sightings: Sequence[Sighting], diameter: float) -> list[int]:
    """Follow nuclei from slice to slice.

    Parameters
    ----------
    sightings : sequence of Sighting
        In the order of slices.
    diameter : float
        The expected diameter in pixels; nuclei move 0.35 of it at most, and change their area at most twice.

    Returns
    -------
    list of int
        A number for each sighting, from 0 in the order of first sightings; those of one nucleus are equal.
    """
    numbers: list[int] = []
    last: dict[int, Sighting] = {}
    for plane, group in groupby(sightings, key=lambda sighting: sighting.slice):
        here = list(group)
        near = [number for number, sighting in last.items() if plane - sighting.slice <= GAP + 1]
        joined = _joined([last[number] for number in near], here, FARTHEST * diameter)
        for place, sighting in enumerate(here):
            number = near[joined[place]] if place in joined else len(last)
            last[number] = sighting
            numbers.append(number)
    return numbers


def _joined(before: Sequence[Sighting], here: Sequence[Sighting], farthest: float) -> dict[int, int]:
    """Join sightings of this slice with earlier ones, by their places in the two lists."""
    if not before or not here:
        return {}
    then, now = (np.array([(each.y, each.x, each.area) for each in group]) for group in (before, here))
    distances = np.hypot(*(now[:, None, :2] - then[None, :, :2]).T).T
    growth = now[:, None, 2] / then[None, :, 2]
    possible = (distances <= farthest) & (growth <= GROWTH) & (growth >= 1 / GROWTH)
    forbidden = 1 + distances[possible].sum()  # dearer than all that are possible together
    pairs = zip(*linear_sum_assignment(np.where(possible, distances, forbidden)), strict=True)
    return {int(row): int(column) for row, column in pairs if possible[row, column]}


def tracks(sightings: Sequence[Sighting], numbers: Sequence[int], fewest: int) -> dict[int, list[Sighting]]:
    """Collect the sightings of each nucleus, and fill the slices in which it was missed.

    Parameters
    ----------
    sightings : sequence of Sighting
        In the order of slices.
    numbers : sequence of int
        As :func:`link` gives them.
    fewest : int
        Slices in which a nucleus is seen; what is seen in fewer is dropped.

    Returns
    -------
    dict of int to list of Sighting
        By the nucleus's id, from 1 in the order of first sightings; one a slice, without gaps.

    Warns
    -----
    Notice
        If any are dropped.
    """
    counts = Counter(numbers)
    kept = [number for number in sorted(counts) if counts[number] >= fewest]
    if dropped := len(counts) - len(kept):
        message = (
            f"{dropped} of {len(counts)} candidates were seen in fewer than {fewest} slices and are dropped"
        )
        warnings.warn(message, Notice, stacklevel=2)
    nuclei: dict[int, list[Sighting]] = {number: [] for number in kept}
    for sighting, number in zip(sightings, numbers, strict=True):
        if number in nuclei:
            nuclei[number].append(sighting)
    return {nucleus: _filled(track) for nucleus, track in enumerate(nuclei.values(), start=1)}


def _filled(track: Sequence[Sighting]) -> list[Sighting]:
    """Repeat a nucleus's last sighting where it was missed between two."""
    filled = []
    for before, after in pairwise(track):
        filled.append(before)
        missed = range(before.slice + 1, after.slice)
        filled += [replace(before, slice=plane, score=0.0) for plane in missed]
    return [*filled, track[-1]]
