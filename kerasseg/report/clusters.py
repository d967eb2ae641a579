"""One page about how a slide's tiles cluster, from the files in its folder: what to look at before labelling.

What is read: ``slide.json``, ``tiles.csv`` and ``tiles``; ``clusters.csv`` and ``embeddings.npy``, in the
order of ``tiles.csv``; and ``queue.csv`` where tiles were selected already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError
from kerasseg.images.files import write_atomically
from kerasseg.labelling import clustering, folder, queue
from kerasseg.report import charts, pictures, sheets
from kerasseg.report.page import JPEG, SVG, number
from kerasseg.report.slide import Slide, open_slide
from kerasseg.report.template import embedded, fill

PNG = "image/png"
COLOURS = ("#3b4252", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Of the clusters, dark first as they are: after Okabe and Ito, 2008."""
ON_A_SHEET = 100
WITH_EMBEDDINGS = 8
PIXELS = 10  # of a tile's side on the map
LABELLED = ("accepted", "edited")

Layout = Callable[[np.ndarray, int], np.ndarray]
"""From embeddings (N, height, width, filters) and a seed to points (N, 2), NaN for tiles left out."""


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
    facts = gather(path.parent, seed=seed, layout=layout) | {"silhouette": silhouette}
    with write_atomically(path) as temporary:
        temporary.write_text(render(facts), encoding="utf-8")
    return path


def render(facts: Mapping[str, Any]) -> str:
    """Fill the page in; whatever the facts hold is escaped.

    Parameters
    ----------
    facts : dict
        As `gather` gives them, with ``silhouette``.

    Returns
    -------
    str
        HTML.
    """
    return fill(Path(__file__).with_suffix(".html"), facts, number=number)


def gather(root: Path, *, seed: int, layout: Layout) -> dict[str, Any]:
    """Read what a slide's folder holds, and make the pictures.

    Parameters
    ----------
    root, seed, layout
        As `write` takes them.

    Returns
    -------
    dict
        What `clusters.html` is filled with.
    """
    slide = open_slide(root)
    names = list(slide.tiles)
    clusters = clustering.read(root, names)
    cluster, distance = clusters.cluster, clusters.distance
    embeddings = _embeddings(root, len(names))
    states = {entry.tile: entry.state for entry in queue.read(root)}
    colours = list(islice(cycle(COLOURS), int(cluster.max()) + 1))
    drawn = np.array([name in states for name in names])
    places = layout(embeddings, seed)
    laid_out = np.isfinite(places).all(axis=1)
    shown = [_shown(np.flatnonzero(cluster == at), distance, seed) for at in range(len(colours))]
    few = [_spread(some) for some in shown]
    pictured = _embedding_pictures(embeddings, few)
    spots = charts.scatter(places[laid_out], cluster[laid_out], colours, drawn[laid_out])
    return {
        "slide": slide.cut,
        "file": slide.file,
        "grid": slide.grid,
        "tiles": len(names),
        "laid_out": int(laid_out.sum()),
        "drawn": int(drawn.sum()),
        "labelled": sum(state in LABELLED for state in states.values()),
        "queue": bool(states),
        "filters": embeddings.shape[-1],
        "sizes": embedded(charts.sizes(np.bincount(cluster).tolist(), colours), SVG),
        "scatter": embedded(spots, SVG),
        "overview": _picture(_overview(slide, [name for name in names if name in states])),
        "map": _exact(_map(slide, cluster, colours)),
        "clusters": [
            _cluster(slide, states, np.flatnonzero(cluster == at), shown[at])
            | {
                "number": at,
                "colour": colours[at],
                "embeddings": _picture(_embedding_sheet(slide, few[at], pictured[at])),
            }
            for at in track(range(len(colours)), "drawing clusters")
        ],
    }


def _embeddings(root: Path, tiles: int) -> np.ndarray:
    """Open the embeddings (N, height, width, filters), and check that there is one for each tile."""
    path = root / folder.EMBEDDINGS
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; embed the tiles first")
    embeddings = np.load(path, mmap_mode="r")
    if len(embeddings) != tiles:
        raise UserError(
            f"{path}: it holds {len(embeddings)} embeddings, and tiles.csv {tiles} tiles; embed and cluster "
            "the tiles again"
        )
    return embeddings


def _shown(members: np.ndarray, distance: np.ndarray, seed: int) -> np.ndarray:
    """Draw some of a cluster's tiles, by their numbers, and put the nearest to its centre first."""
    some = np.random.default_rng(seed).permutation(members)[:ON_A_SHEET]
    return some[np.argsort(distance[some], kind="stable")]


def _spread(shown: np.ndarray) -> np.ndarray:
    """Take few of many, from the first to the last."""
    return shown[np.linspace(0, len(shown) - 1, min(WITH_EMBEDDINGS, len(shown))).round().astype(int)]


def _cluster(
    slide: Slide, states: Mapping[str, str], members: np.ndarray, shown: np.ndarray
) -> dict[str, Any]:
    """Describe and picture one cluster by its tiles' numbers."""
    names = list(slide.tiles)
    tiles = {name: slide.tiles[name] for name in (names[at] for at in members)}
    return {
        "size": len(members),
        "share": len(members) / len(names),
        "mean": np.mean([tile.mean for tile in tiles.values()]),
        "deviation": np.mean([tile.deviation for tile in tiles.values()]),
        "drawn": sum(name in states for name in tiles),
        "labelled": sum(states.get(name) in LABELLED for name in tiles),
        "shown": len(shown),
        "sheet": _picture(sheets.sheet([slide.picture(names[at]) for at in shown])),
    }


def _embedding_pictures(embeddings: np.ndarray, few: Sequence[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    """Picture embeddings of few tiles of each cluster, all stretched alike: for each three (n, Y, X, 3)."""
    kinds = sheets.code_pictures(embeddings[np.concatenate(few)]).values()
    ends = np.cumsum([len(some) for some in few])[:-1]
    return list(zip(*(np.split(kind, ends) for kind in kinds), strict=True))


def _embedding_sheet(slide: Slide, few: np.ndarray, kinds: Sequence[np.ndarray]) -> np.ndarray:
    """Lay tiles out, and below each the pictures of its embedding."""
    names = list(slide.tiles)
    tiles = [slide.picture(names[at]) for at in few]
    return sheets.sheet([*tiles, *(picture for kind in kinds for picture in kind)], columns=len(tiles))


def _overview(slide: Slide, drawn: Sequence[str]) -> np.ndarray:
    """Show the slide, and frame the tiles that were drawn."""
    seen = pictures.display(slide.overview(track(slide.tiles, "reading tiles"), PIXELS))
    for name in drawn:
        y, x = (PIXELS * at for at in slide.spot(name))
        cv2.rectangle(seen, (x, y), (x + PIXELS - 1, y + PIXELS - 1), pictures.PREDICTED, 2)
    return seen


def _map(slide: Slide, cluster: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    palette = [np.array(list(bytes.fromhex(colour[1:])), np.uint8) for colour in colours]
    return slide.map({name: palette[at] for name, at in zip(slide.tiles, cluster, strict=True)}, PIXELS)


def _picture(picture: np.ndarray) -> str:
    return embedded(pictures.compressed(picture, picture.shape[1]), JPEG)


def _exact(picture: np.ndarray) -> str:
    """Embed without loss: few colours make a small file."""
    _, encoded = cv2.imencode(".png", picture[..., ::-1])
    return embedded(encoded.tobytes(), PNG)
