"""Tiles that are alike, by k-means on their codes: what a labelling budget is shared out over.

The clusters are numbered by the intensity of their tiles, the darkest first, so that cluster 0 is the empty
background whatever k-means called it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images.files import write_atomically
from kerasseg.labelling.clustering.codes import distinct, drawn, flat, one_thread, principal

NAME = "clusters.csv"
HEADER = ["name", "cluster", "distance"]

STARTS = 10  # of k-means, of which the best is kept
MOST_CLUSTERS = 10  # that "auto" tries


@dataclass(frozen=True)
class Clusters:
    """Where tiles lie, in their order.

    Attributes
    ----------
    cluster : numpy.ndarray, shape (N,), int
        From 0, the darkest cluster first.
    distance : numpy.ndarray, shape (N,), float32
        From a tile's code to the centre of its cluster.
    """

    cluster: np.ndarray
    distance: np.ndarray

    def sizes(self) -> list[int]:
        """Count the tiles of each cluster."""
        return np.bincount(self.cluster).tolist()


def cluster(codes: np.ndarray, clusters: int | str, *, intensity: np.ndarray, seed: int) -> Clusters:
    """Share tiles out over clusters by k-means.

    The ten starts are tried on the codes' 50 principal components; the best goes on with the codes
    themselves until nothing moves. That is k-means on the codes, in a tenth of the time.

    Parameters
    ----------
    codes : numpy.ndarray, shape (N, ...), float32
        Of the tiles.
    clusters : int or "auto"
        How many; ``"auto"`` takes the number from 2 to 10 of the largest silhouette.
    intensity : numpy.ndarray, shape (N,)
        The mean of each tile, by which the clusters are numbered.
    seed : int
        Of the centres that k-means starts from, and of the tiles that silhouettes look at.

    Returns
    -------
    Clusters
        Fewer than asked for where there are not as many different codes, which is said.

    Raises
    ------
    UserError
        If there are fewer tiles than clusters.

    References
    ----------
    Lloyd, IEEE Transactions on Information Theory 28(2), 1982, DOI 10.1109/TIT.1982.1056489. Rousseeuw,
    Journal of Computational and Applied Mathematics 20, 1987, DOI 10.1016/0377-0427(87)90125-7.
    """
    _check(clusters, len(codes))
    codes = flat(codes)
    different = distinct(codes)
    with one_thread():
        wanted = _by_silhouette(codes, different, seed) if clusters == "auto" else clusters
        if wanted > different:
            say(
                f"{len(codes)} tiles have {different} different codes, so no more clusters",
                "yellow",
            )
        started = _k_means(principal(codes, seed), min(wanted, different), seed)
        found = _refined(codes, started)
    return _darkest_first(found, np.asarray(intensity))


def silhouettes(codes: np.ndarray, counts: Sequence[int], *, seed: int) -> dict[int, float]:
    """Say how far clusters lie apart, for several numbers of them.

    Parameters
    ----------
    codes : numpy.ndarray, shape (N, ...), float32
        Of which 2,000 are looked at, drawn by `seed`, by their 50 principal components.
    counts : sequence of int
        Numbers of clusters; one alone, and those that are not less than the number of codes, are left out.
    seed : int

    Returns
    -------
    dict of int to float
        For each number the mean silhouette, in [-1, 1]; 1 where clusters are points.
    """
    from sklearn.metrics import silhouette_score

    codes = flat(codes)
    codes = principal(codes[drawn(len(codes), seed)], seed)
    most = min(distinct(codes), len(codes) - 1)
    counts = [count for count in counts if 2 <= count <= most]
    with one_thread():
        return {
            count: float(silhouette_score(codes, _k_means(codes, count, seed)))
            for count in track(counts, "numbers of clusters")
        }


def write(root: Path, names: Sequence[str], found: Clusters) -> None:
    """Write ``clusters.csv``, complete or not at all: a line a tile, in their order."""
    with write_atomically(root / NAME) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for name, number, distance in zip(names, found.cluster, found.distance, strict=True):
            table.writerow([name, int(number), f"{distance:.6g}"])


def read(root: Path, names: Sequence[str]) -> Clusters:
    """Read what `write` wrote.

    Parameters
    ----------
    root : Path
        The labelling folder.
    names : sequence of str
        Of its tiles, in their order.

    Returns
    -------
    Clusters

    Raises
    ------
    UserError
        If the file is missing, was damaged, or is about other tiles.
    """
    path = root / NAME
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; cluster the tiles first")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    if header != HEADER:
        raise UserError(f"{path}: its first line is {','.join(header)}; expected {','.join(HEADER)}")
    if mistakes := [f"{path}, line {n}: {why}" for n, row in enumerate(rows, 2) if (why := _mistake(row))]:
        raise UserError(*mistakes[:10], "cluster the tiles again")
    if [row[0] for row in rows] != [*names]:
        raise UserError(
            f"{path}: its {len(rows)} tiles are not the {len(names)} of tiles.csv in their order; cluster "
            "the tiles again"
        )
    numbers, distances = ([row[column] for row in rows] for column in (1, 2))
    return Clusters(np.array(numbers, np.int64), np.array(distances, np.float32))


def _mistake(row: list[str]) -> str | None:
    if len(row) != len(HEADER):
        return f"it has {len(row)} fields; expected {len(HEADER)}"
    if not row[1].isdecimal():
        return f"the cluster is {row[1]!r}; expected a number from 0"
    try:
        good = math.isfinite(distance := float(row[2])) and distance >= 0
    except ValueError:
        good = False
    return None if good else f"the distance is {row[2]!r}; expected a number from 0"


def _check(clusters: int | str, tiles: int) -> None:
    if isinstance(clusters, str) and clusters != "auto":
        raise UserError(f"clusters is {clusters!r}; expected a number from 1, or auto")
    least = 1 if clusters == "auto" else clusters
    if least < 1 or tiles < least:
        raise UserError(
            f"{tiles} tiles cannot make {clusters} clusters: ask for 1 to {tiles}, or cut the slide into more"
            if tiles
            else "there are no tiles to cluster"
        )


def _by_silhouette(codes: np.ndarray, most: int, seed: int) -> int:
    scores = silhouettes(codes, range(2, MOST_CLUSTERS + 1), seed=seed)
    if not scores:
        return most
    best = max(scores, key=scores.get)
    told = ", ".join(f"{score:.3f} of {count}" for count, score in scores.items())
    say(f"{best} clusters, by the largest silhouette: {told}")
    return best


def _k_means(codes: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(clusters, n_init=STARTS, random_state=seed).fit_predict(codes)


def _refined(codes: np.ndarray, started: np.ndarray) -> Clusters:
    """Go on with k-means from clusters that were found by less than the whole codes."""
    from sklearn.cluster import KMeans

    centres = np.stack([codes[started == number].mean(axis=0) for number in np.unique(started)])
    model = KMeans(len(centres), init=centres, n_init=1).fit(codes)
    distance = np.linalg.norm(codes - model.cluster_centers_[model.labels_], axis=1)
    return Clusters(model.labels_.astype(np.int64), distance)


def _darkest_first(found: Clusters, intensity: np.ndarray) -> Clusters:
    numbers = np.unique(found.cluster)
    means = [intensity[found.cluster == number].mean() for number in numbers]
    rank = np.empty(numbers.max() + 1, np.int64)
    rank[numbers[np.argsort(means, kind="stable")]] = np.arange(len(numbers))
    return Clusters(rank[found.cluster], found.distance)
