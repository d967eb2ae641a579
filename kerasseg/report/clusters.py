"""One page about how a slide's tiles cluster, from the files in its folder: what to look at before labelling.

What is read: ``slide.json``, ``tiles.csv`` and ``tiles``; ``clusters.csv`` and ``embeddings.npy``, in the
order of ``tiles.csv``; and ``queue.csv`` where tiles were selected already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.labelling import clustering, folder, queue
from kerasseg.report import charts, pictures
from kerasseg.report.slide import Slide, embedding_pictures, open_slide, sheet
from kerasseg.report.template import JPEG, PNG, SVG, embedded, fill

COLOURS = ("#3b4252", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Of the clusters, dark first as they are: after Okabe and Ito, 2008."""
ON_A_SHEET = 100
WITH_EMBEDDINGS = 8
PIXELS = 10  # of a tile's side on the map
LABELLED = ("accepted", "edited")

Layout = Callable[[np.ndarray, int], np.ndarray]
"""From embeddings (N, height, width, filters) and a seed to points (N, 2), NaN for tiles left out."""


class Clustered(NamedTuple):
    """How tiles cluster, in the order of ``tiles.csv``."""

    clusters: np.ndarray  # (N,) int
    distances: np.ndarray  # (N,) float, from the cluster's centre
    embeddings: np.ndarray  # (N, height, width, filters) float32


def write(root: Path, *, seed: int, layout: Layout, silhouette: float | None = None) -> Path:
    """Write the page of a slide's clusters.

    Parameters
    ----------
    root : Path
        The slide's folder.
    seed : int
        Of the tiles that are shown, and of the layout.
    layout : callable
        What places embeddings on a plane: `kerasseg.labelling.clustering.layout`.
    silhouette : float, optional
        The mean silhouette of the tiles, where it is known.

    Returns
    -------
    Path
        ``clusters.html`` in it, written whole or not at all.

    Raises
    ------
    UserError
        If a file is missing, or the files tell of different tiles.
    """
    path = Path(root) / folder.CLUSTERS_PAGE
    context = gather(path.parent, seed=seed, layout=layout) | {"silhouette": silhouette}
    with write_atomically(path) as temporary:
        temporary.write_text(fill(Path(__file__).with_suffix(".html"), context), encoding="utf-8")
    return path


def gather(root: Path, *, seed: int, layout: Layout) -> dict[str, Any]:
    """Read what a slide's folder holds, and make the pictures.

    Parameters
    ----------
    root, seed, layout
        As `write` takes them.

    Returns
    -------
    dict
        What `clusters.html` is filled with, but for the silhouette.
    """
    slide = open_slide(root)
    clustered = _read_clusters(root, list(slide.tiles))
    states = {entry.tile: entry.state for entry in queue.read(root)}
    drawn = [name for name in slide.tiles if name in states]
    colours = list(islice(cycle(COLOURS), int(clustered.clusters.max()) + 1))
    return {
        "slide": slide.cut,
        "file": slide.file,
        "grid": slide.grid,
        "tiles": len(slide.tiles),
        "filters": clustered.embeddings.shape[-1],
        "queue": bool(states),
        "drawn": len(drawn),
        "labelled": sum(state in LABELLED for state in states.values()),
        **_charts(clustered, colours, np.isin(list(slide.tiles), drawn), layout(clustered.embeddings, seed)),
        **_maps(slide, clustered.clusters, colours, drawn),
        "clusters": _clusters(slide, clustered, colours, states, seed),
    }


def _read_clusters(root: Path, names: Sequence[str]) -> Clustered:
    """Read clusters, distances and embeddings, and check that they are those of the tiles."""
    clusters = clustering.read(root, names)
    path = root / folder.EMBEDDINGS
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; embed the tiles first")
    embeddings = np.load(path, mmap_mode="r")
    if len(embeddings) != len(names):
        raise UserError(
            f"{path}: it holds {len(embeddings)} embeddings, and tiles.csv {len(names)} tiles; embed and "
            "cluster the tiles again"
        )
    return Clustered(clusters.cluster, clusters.distance, embeddings)


def _charts(
    clustered: Clustered, colours: Sequence[str], is_drawn: np.ndarray, points: np.ndarray
) -> dict[str, Any]:
    """Draw how large the clusters are, and the tiles' embeddings on a plane."""
    laid_out = np.isfinite(points).all(axis=1)
    clusters = clustered.clusters
    scatter = charts.scatter(points[laid_out], clusters[laid_out], colours, is_drawn[laid_out])
    return {
        "sizes": embedded(charts.sizes(np.bincount(clusters).tolist(), colours), SVG),
        "scatter": embedded(scatter, SVG),
        "laid_out": int(laid_out.sum()),
    }


def _maps(slide: Slide, clusters: np.ndarray, colours: Sequence[str], drawn: Sequence[str]) -> dict[str, str]:
    """Show the slide with its drawn tiles framed, and the cluster of each tile in its place."""
    overview = pictures.display(slide.overview(track(slide.tiles, "reading tiles"), PIXELS))
    for name in drawn:
        y, x = (PIXELS * index for index in slide.spot(name))
        cv2.rectangle(overview, (x, y), (x + PIXELS - 1, y + PIXELS - 1), pictures.PREDICTED, 2)
    palette = [np.array(list(bytes.fromhex(colour[1:])), np.uint8) for colour in colours]
    squares = {name: palette[cluster] for name, cluster in zip(slide.tiles, clusters, strict=True)}
    _, png = cv2.imencode(".png", slide.map(squares, PIXELS)[..., ::-1])  # few colours make a small file
    return {"overview": _picture(overview), "map": embedded(png.tobytes(), PNG)}


def _clusters(
    slide: Slide, clustered: Clustered, colours: Sequence[str], states: Mapping[str, str], seed: int
) -> list[dict[str, Any]]:
    """Describe each cluster; picture some of its tiles, nearest to its centre first, and few embeddings."""
    names = list(slide.tiles)
    members = [np.flatnonzero(clustered.clusters == number) for number in range(len(colours))]
    some = [np.random.default_rng(seed).permutation(indices)[:ON_A_SHEET] for indices in members]
    some = [indices[np.argsort(clustered.distances[indices], kind="stable")] for indices in some]
    few = [indices[_spread(len(indices))] for indices in some]
    # the embeddings of all clusters are stretched alike
    few_pictures = embedding_pictures(clustered.embeddings[np.concatenate(few)])
    ends = np.cumsum([len(indices) for indices in few])
    described = []
    for number in track(range(len(colours)), "drawing clusters"):
        tiles = [slide.picture(names[index]) for index in few[number]]
        rows = slice(ends[number] - len(tiles), ends[number])
        below = [picture for kind in few_pictures.values() for picture in kind[rows]]
        described.append(
            {
                "number": number,
                "colour": colours[number],
                **_describe([names[index] for index in members[number]], slide, states),
                "shown": len(some[number]),
                "sheet": _picture(sheet([slide.picture(names[index]) for index in some[number]])),
                "embeddings": _picture(sheet([*tiles, *below], columns=len(tiles))),
            }
        )
    return described


def _spread(count: int) -> np.ndarray:
    """Take few of many, from the first to the last: indices."""
    return np.linspace(0, count - 1, min(WITH_EMBEDDINGS, count)).round().astype(int)


def _describe(names: Sequence[str], slide: Slide, states: Mapping[str, str]) -> dict[str, Any]:
    """Count a cluster's tiles, and average what is known of them."""
    return {
        "size": len(names),
        "share": len(names) / len(slide.tiles),
        "mean": np.mean([slide.tiles[name].mean for name in names]),
        "deviation": np.mean([slide.tiles[name].deviation for name in names]),
        "drawn": sum(name in states for name in names),
        "labelled": sum(states.get(name) in LABELLED for name in names),
    }


def _picture(picture: np.ndarray) -> str:
    return embedded(pictures.compressed(picture, picture.shape[1]), JPEG)
