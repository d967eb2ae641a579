"""Which nucleus belongs to which Golgi, and the way from one to the other.

In endothelial cells the Golgi lies ahead of the nucleus, so that the vector between their centres tells where
a cell is heading.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from kerasseg.errors import Notice
from kerasseg.files import write_atomically
from kerasseg.postprocess.components import components

AXES = "zyx"
MOST_DISTANCES = 2**25  # of nuclei to Golgi, held in memory together: a quarter of a gigabyte
HELD = 0.5  # of an object that lies in a component of the pairs' mask, for the component to hold it


class Pair(NamedTuple):
    """A nucleus and its Golgi: their numbers, and their centres (z, y, x) or (y, x) in micrometres."""

    nucleus: int
    golgi: int
    start: np.ndarray
    end: np.ndarray

    @property
    def vector(self) -> np.ndarray:
        """From the nucleus to the Golgi."""
        return self.end - self.start

    @property
    def length(self) -> float:
        """Length of the vector."""
        return float(np.linalg.norm(self.vector))


@dataclass(frozen=True)
class Pairing:
    """Which of a mask's classes are joined, and how: the classes by their index, from 0.

    Attributes
    ----------
    nuclei, golgi : int
    pair : int or None
    farthest : float
        See `pairs`.
    """

    nuclei: int
    golgi: int
    pair: int | None
    farthest: float

    def __call__(
        self,
        layers: Sequence[np.ndarray],
        number: Callable[[np.ndarray], np.ndarray],
        spacing: Sequence[float] | None,
    ) -> list[Pair]:
        """Find the pairs of a mask split into its classes, whose objects `number` numbers."""
        nuclei, golgi = number(layers[self.nuclei]), number(layers[self.golgi])
        pair = None if self.pair is None else layers[self.pair]
        return pairs(nuclei, golgi, pair, spacing=spacing, farthest=self.farthest)


def pairs(
    nuclei: np.ndarray,
    golgi: np.ndarray,
    pair: np.ndarray | None = None,
    *,
    spacing: Sequence[float] | None = None,
    farthest: float = 15.0,
) -> list[Pair]:
    """Find which nucleus belongs to which Golgi, one to one.

    With a mask of pairs a nucleus and a Golgi are a pair where one of its components holds at least half of
    each. Masks of pairs do not always connect the two; so those that it holds without a partner are joined
    next, and objects outside it stay alone. Without such a mask all are joined. In each step as many as
    possible are joined, and the sum of their distances is the least (Kuhn 1955, doi:10.1002/nav.3800020109).

    Parameters
    ----------
    nuclei, golgi : np.ndarray
        (Y, X) or (Z, Y, X) int32 labels.
    pair : np.ndarray, optional
        Of the same shape, 1 where a pixel is of a pair; 0 and 255 (ignore) where not.
    spacing : sequence of float, optional
        Size of a pixel along each axis, in micrometres; pixels are measured in themselves without it.
    farthest : float
        Centres are no farther from each other than this, in the same units.

    Returns
    -------
    list of Pair
        In the order of the nuclei's numbers.
    """
    scale = np.ones(nuclei.ndim) if spacing is None else np.asarray(spacing, float)
    starts, ends = centres(nuclei) * scale, centres(golgi) * scale
    if len(starts) * len(ends) > MOST_DISTANCES:
        warnings.warn(
            f"{len(starts):,} nuclei and {len(ends):,} Golgi are too many to be joined one to one, so no "
            "pair is counted; a network that has hardly learnt finds such noise, and a larger smallest in "
            "instances drops it",
            Notice,
            stacklevel=2,
        )
        return []
    distances = np.linalg.norm(starts[:, None] - ends[None], axis=-1)
    distances = np.where(distances <= farthest, distances, np.inf)  # of objects that are not there it is NaN
    if pair is None:
        return _join([distances], starts, ends)
    held = components(np.where(pair == 1, pair, 0), diagonal=True)
    of_nuclei = _holders(nuclei, held)[:, None]
    of_golgi = _holders(golgi, held)[None]
    both = (of_nuclei > 0) & (of_golgi > 0)
    together = both & (of_nuclei == of_golgi)
    return _join([np.where(together, distances, np.inf), np.where(both, distances, np.inf)], starts, ends)


def centres(labels: np.ndarray) -> np.ndarray:
    """Find the centre of mass of each object 1..N: (N, axes) float64 in pixels, NaN where there is none."""
    where = np.nonzero(labels)
    ids, count = labels[where], int(labels.max(initial=0)) + 1
    sizes = np.bincount(ids, minlength=count)[1:].astype(float)
    sizes[sizes == 0] = math.nan
    return np.stack([np.bincount(ids, along, count)[1:] / sizes for along in where], axis=-1)


def _holders(labels: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Find the component that holds each object 1..N: (N,), 0 where none holds enough of it."""
    count, components = int(labels.max(initial=0)) + 1, int(held.max(initial=0)) + 1
    inside = labels > 0
    keys, pixels = np.unique(labels[inside].astype(np.int64) * components + held[inside], return_counts=True)
    holders = np.zeros(count, np.int64)
    sizes = np.bincount(keys // components, pixels, count)
    enough = (keys % components > 0) & (pixels >= HELD * sizes[keys // components])
    best = np.flatnonzero(enough)[np.argsort(pixels[enough], kind="stable")]  # the largest share comes last
    holders[keys[best] // components] = keys[best] % components
    return holders[1:]


def _join(steps: Sequence[np.ndarray], starts: np.ndarray, ends: np.ndarray) -> list[Pair]:
    """Join one to one by the distances (N, M) of each step, infinite where two cannot be; then those left."""
    partners: dict[int, int] = {}
    for distances in steps:
        distances = distances.copy()
        distances[list(partners)] = np.inf
        distances[:, list(partners.values())] = np.inf
        partners |= _assign(distances)
    return [
        Pair(nucleus + 1, golgi + 1, starts[nucleus], ends[golgi])
        for nucleus, golgi in sorted(partners.items())
    ]


def _assign(distances: np.ndarray) -> dict[int, int]:
    """Join as many rows with columns as can be, over the least sum of distances."""
    possible = np.isfinite(distances)
    forbidden = 1 + distances[possible].sum()  # dearer than all that are possible together
    rows, columns = linear_sum_assignment(np.where(possible, distances, forbidden))
    return {
        row: column
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if possible[row, column]
    }


def write_csv(path: Path, pairs: Sequence[Pair], axes: int) -> None:
    """Write pairs as a table: numbers, both centres, the vector and its length.

    Parameters
    ----------
    path : Path
        A ``.csv``.
    pairs : sequence of Pair
    axes : int
        2 or 3; images have no z.
    """
    names = AXES[-axes:]
    header = ["pair", "nucleus", "golgi"]
    header += [f"{what}_{axis}" for what in ("nucleus", "golgi") for axis in names]
    header += [*(f"d{axis}" for axis in names), "length"]
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        for number, pair in enumerate(pairs, start=1):
            lengths = [*pair.start, *pair.end, *pair.vector, pair.length]
            table.writerow([number, pair.nucleus, pair.golgi, *(f"{length:.4f}" for length in lengths)])
