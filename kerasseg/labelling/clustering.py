"""Tiles that are alike, by k-means on their embeddings: what a labelling budget is shared out over.

The clusters are numbered by the intensity of their tiles, the darkest first, so that cluster 0 is the empty
background whatever k-means called it. `layout` places tiles in a plane, to look at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.labelling import folder, tables

STARTS = 10  # of k-means, of which the best is kept
MOST_CLUSTERS = 10  # that "auto" tries
MOST_COMPARED = 2000  # tiles that silhouettes and t-SNE look at: both grow with the square
COMPONENTS = 50  # of embeddings, that t-SNE, silhouettes and the starts of k-means look at
PERPLEXITY = 30


@dataclass(frozen=True)
class Clusters:
    """The clusters of tiles, in the order of the tiles.

    Attributes
    ----------
    cluster : numpy.ndarray, shape (N,), int
        From 0, the darkest cluster first.
    distance : numpy.ndarray, shape (N,), float32
        From a tile's embedding to the centre of its cluster.
    """

    cluster: np.ndarray
    distance: np.ndarray

    def sizes(self) -> list[int]:
        """Count the tiles of each cluster."""
        return np.bincount(self.cluster).tolist()


@dataclass(frozen=True)
class ClusteredTile:
    """A line of ``clusters.csv``."""

    name: str
    cluster: int
    distance: float


def cluster(embeddings: np.ndarray, clusters: int | str, *, intensity: np.ndarray, seed: int) -> Clusters:
    """Share tiles out over clusters by k-means.

    The ten starts are tried on the 50 principal components of the embeddings; the best goes on with the whole
    embeddings until nothing moves. That is k-means on these, in a tenth of the time.

    Parameters
    ----------
    embeddings : numpy.ndarray, shape (N, ...), float32
        One for each tile.
    clusters : int or "auto"
        How many; ``"auto"`` takes the number from 2 to 10 of the largest silhouette.
    intensity : numpy.ndarray, shape (N,)
        The mean of each tile, by which the clusters are numbered.
    seed : int
        Chooses the centres that k-means starts from, and the tiles that silhouettes look at.

    Returns
    -------
    Clusters
        Fewer than asked for where there are not as many different embeddings, which is said.

    Raises
    ------
    UserError
        If there are fewer tiles than clusters.

    References
    ----------
    Lloyd, IEEE Transactions on Information Theory 28(2), 1982, DOI 10.1109/TIT.1982.1056489. Rousseeuw,
    Journal of Computational and Applied Mathematics 20, 1987, DOI 10.1016/0377-0427(87)90125-7.
    """
    _check(clusters, len(embeddings))
    vectors = _flat(embeddings)
    different = _distinct(vectors)
    with _one_thread():
        count = _by_silhouette(vectors, different, seed) if clusters == "auto" else clusters
        if count > different:
            message = f"{len(vectors)} tiles have {different} different embeddings, so no more clusters"
            say(message, style="yellow")
        start = _k_means(_principal(vectors, seed), min(count, different), seed)
        return _darkest_first(_refined(vectors, start), np.asarray(intensity))


def silhouettes(embeddings: np.ndarray, counts: Sequence[int], *, seed: int) -> dict[int, float]:
    """Measure how far clusters lie apart, for several numbers of them.

    Parameters
    ----------
    embeddings : numpy.ndarray, shape (N, ...), float32
        Of more than 2,000 so many are drawn by `seed`; of these the 50 principal components are compared.
    counts : sequence of int
        Numbers of clusters; 1, and those that are not less than the number of embeddings, are left out.
    seed : int

    Returns
    -------
    dict of int to float
        For each number the mean silhouette, in [-1, 1]; 1 where clusters are points.
    """
    from sklearn.metrics import silhouette_score

    vectors = _flat(embeddings)
    vectors = _principal(vectors[_drawn(len(vectors), seed)], seed)
    most = min(_distinct(vectors), len(vectors) - 1)
    counts = [count for count in counts if 2 <= count <= most]
    with _one_thread():
        return {
            count: float(silhouette_score(vectors, _k_means(vectors, count, seed)))
            for count in track(counts, "numbers of clusters")
        }


def layout(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Lay tiles out in the plane by t-SNE, those together whose embeddings are alike.

    Parameters
    ----------
    embeddings : numpy.ndarray, shape (N, ...), float32
        Reduced to their 50 principal components first.
    seed : int
        Also draws the 2,000 tiles that are laid out where there are more.

    Returns
    -------
    numpy.ndarray, shape (N, 2), float32
        NaN for tiles that were not drawn; all zero where all embeddings are equal.

    References
    ----------
    van der Maaten and Hinton, JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE

    vectors = _flat(embeddings)
    places = np.full((len(vectors), 2), np.nan, np.float32)
    drawn = _drawn(len(vectors), seed)
    shown = vectors[drawn]
    if _distinct(shown) == 1:
        places[drawn] = 0
        return places
    shown = _principal(shown, seed)
    start = np.pad(shown, ((0, 0), (0, 1)))[:, :2] / shown[:, 0].std() * 1e-4  # scikit-learn's, for any width
    perplexity = min(PERPLEXITY, (len(shown) - 1) / 3)
    say(f"t-SNE of {len(shown)} tiles")
    with _one_thread():
        places[drawn] = TSNE(init=start, perplexity=perplexity, random_state=seed).fit_transform(shown)
    return places


def write(root: Path, names: Sequence[str], clusters: Clusters) -> None:
    """Write ``clusters.csv``, complete or not at all: a line a tile, in their order."""
    lines = map(ClusteredTile, names, clusters.cluster.tolist(), clusters.distance.tolist())
    text = tables.to_csv(
        lines, ClusteredTile, lambda value: f"{value:.6g}" if type(value) is float else value
    )
    with write_atomically(root / folder.CLUSTERS) as path:
        path.write_text(text, encoding="utf-8", newline="\n")


def read(root: Path, names: Sequence[str]) -> Clusters:
    """Read the clusters of tiles with these names, in their order.

    Raises
    ------
    UserError
        If the file is missing, was damaged, or is about other tiles.
    """
    path = root / folder.CLUSTERS
    lines = tables.read(path, ClusteredTile, "cluster the tiles", {"distance": _distance})
    if [line.name for line in lines] != [*names]:
        raise UserError(
            f"{path}: its {len(lines)} tiles are not the {len(names)} of tiles.csv in their order; cluster "
            "the tiles again"
        )
    return Clusters(
        np.array([line.cluster for line in lines], np.int64),
        np.array([line.distance for line in lines], np.float32),
    )


def _distance(cell: str) -> float:
    distance = tables.finite(cell)
    if distance < 0:
        raise ValueError("a number from 0")
    return distance


def _check(clusters: int | str, tiles: int) -> None:
    if isinstance(clusters, str) and clusters != "auto":
        raise UserError(f"clusters is {clusters!r}; expected a number from 1, or auto")
    if not tiles:
        raise UserError("there are no tiles to cluster")
    if clusters != "auto" and not 1 <= clusters <= tiles:
        raise UserError(
            f"{tiles} tiles cannot make {clusters} clusters: ask for 1 to {tiles}, or cut the slide into more"
        )


def _flat(embeddings: np.ndarray) -> np.ndarray:
    """Make each embedding a row: (N, ...) to (N, D) float32."""
    return np.ascontiguousarray(embeddings.reshape(len(embeddings), -1), np.float32)


def _distinct(vectors: np.ndarray) -> int:
    return len({vector.tobytes() for vector in vectors})


def _drawn(count: int, seed: int) -> np.ndarray:
    """Draw which of so many tiles are compared: their places, rising; all where they are few."""
    if count <= MOST_COMPARED:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_COMPARED, replace=False))


def _principal(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Reduce vectors (N, D) to their 50 principal components, if they have more."""
    from sklearn.decomposition import PCA

    if vectors.shape[1] <= COMPONENTS:
        return vectors
    return PCA(min(COMPONENTS, len(vectors)), random_state=seed).fit_transform(vectors)


def _one_thread() -> AbstractContextManager:
    """Add in one order, so that the same comes out each time; threads that wait for busy cores cost more."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _by_silhouette(vectors: np.ndarray, most: int, seed: int) -> int:
    scores = silhouettes(vectors, range(2, MOST_CLUSTERS + 1), seed=seed)
    if not scores:
        return most
    best = max(scores, key=scores.get)
    listed = ", ".join(f"{score:.3f} of {count}" for count, score in scores.items())
    say(f"{best} clusters, by the largest silhouette: {listed}")
    return best


def _k_means(vectors: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(clusters, n_init=STARTS, random_state=seed).fit_predict(vectors)


def _refined(vectors: np.ndarray, start: np.ndarray) -> Clusters:
    """Continue k-means from clusters that were found by less than the whole vectors."""
    from sklearn.cluster import KMeans

    centres = np.stack([vectors[start == number].mean(axis=0) for number in np.unique(start)])
    model = KMeans(len(centres), init=centres, n_init=1).fit(vectors)
    distance = np.linalg.norm(vectors - model.cluster_centers_[model.labels_], axis=1)
    return Clusters(model.labels_.astype(np.int64), distance)


def _darkest_first(clusters: Clusters, intensity: np.ndarray) -> Clusters:
    numbers = np.unique(clusters.cluster)
    means = [intensity[clusters.cluster == number].mean() for number in numbers]
    rank = np.empty(numbers.max() + 1, np.int64)
    rank[numbers[np.argsort(means, kind="stable")]] = np.arange(len(numbers))
    return Clusters(rank[clusters.cluster], clusters.distance)
