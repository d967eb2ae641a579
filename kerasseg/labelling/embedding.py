"""An embedding for every tile of a slide: what tiles are compared, clustered and selected by.

==================  ================================================================================
method              what an embedding is
==================  ================================================================================
autoencoder         feature maps of a small network that learns to draw these very tiles, the paper's
efficientnet        the deepest features of a network that has seen ImageNet, averaged over the tile
intensity           moments, percentiles and histogram of the intensities: no network, no TensorFlow
==================  ================================================================================
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.images.normalisation import Normalisation
from kerasseg.labelling import folder
from kerasseg.labelling.folder import SlideTile, read_tiles
from kerasseg.labelling.tiles import TilePixels

if TYPE_CHECKING:
    import keras

METHODS = ("autoencoder", "efficientnet", "intensity")
BATCH = 64  # tiles that are embedded together
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BINS = 16


def embed(root: Path, *, method: str, normalise: Normalisation, seed: int, **settings: Any) -> np.ndarray:
    """Embed a slide's tiles; done at once where these very embeddings are there already.

    Writes ``embeddings.npy``, ``encoder.keras`` where a network makes them, and ``embeddings.json``, which
    says of which tiles they are and how they were made. That one is removed first and written last, so that
    a step that was killed is done again.

    Parameters
    ----------
    root : Path
        The labelling folder.
    method : str
        A name in `METHODS`.
    normalise : Normalisation
        What becomes 0 and 1 in the tiles.
    seed : int
        Draws weights, the tiles that are learnt from and their order.
    **settings
        Arguments of the method: see `kerasseg.labelling.embedding_networks`.

    Returns
    -------
    numpy.ndarray, shape (N, height, width, filters), float32
        In the order of ``tiles.csv``: 16x16x8 by the autoencoder for 128x128 pixels, 1x1 by the others.

    Raises
    ------
    UserError
        If the method is unknown, a tile is missing or unlike the others, or pretrained weights cannot be had.
    """
    if method not in METHODS:
        raise UserError(f"method: {unknown('embedding', method, METHODS)}")
    root, tiles = Path(root), read_tiles(root)
    if not tiles:
        raise UserError(f"{root}: there are no tiles to embed; crop the slide first")
    options = {"method": method, "normalise": [normalise.name, asdict(normalise)], "seed": seed, **settings}
    record = {"tiles": _digest(tiles), "options": options}
    if _record(root) == record and (root / folder.EMBEDDINGS).is_file():
        say(f"{root / folder.EMBEDDINGS}: exists already")
        return read_embeddings(root, tiles)
    (root / folder.EMBEDDINGS_RECORD).unlink(missing_ok=True)
    pixels = TilePixels(root, tiles, normalise)
    network = None
    if method != "intensity":
        from kerasseg.labelling.embedding_networks import NETWORKS

        network = NETWORKS[method](pixels, seed=seed, **settings)
    embeddings = _embedded(pixels, network)
    _write(root, embeddings, network, record)
    return embeddings


def read_embeddings(root: Path, tiles: Sequence[SlideTile]) -> np.ndarray:
    """Read the embeddings of all tiles of a slide: (N, height, width, filters) float32.

    Raises
    ------
    UserError
        If there are no embeddings, they are damaged, or of other tiles.
    """
    path, record = Path(root) / folder.EMBEDDINGS, _record(root)
    if record is None or not path.is_file():
        raise UserError(f"{path}: it is missing or unfinished; embed the tiles")
    try:
        embeddings = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{path}: it cannot be read ({error}); remove it, and embed the tiles again"
        ) from error
    if record.get("tiles") != _digest(tiles) or len(embeddings) != len(tiles):
        raise UserError(
            f"{path}: it holds {len(embeddings)} embeddings of other tiles than the {len(tiles)} in "
            "tiles.csv; embed the tiles again"
        )
    return embeddings


def describe_intensities(tiles: np.ndarray) -> np.ndarray:
    """Describe tiles by their intensities alone: the baseline that a learnt embedding must beat.

    Parameters
    ----------
    tiles : numpy.ndarray, shape (B, Y, X, C), float32 in [0, 1]

    Returns
    -------
    numpy.ndarray, shape (B, 1, 1, 25 * C), float32 in [0, 1]
        For each channel its mean, its standard deviation, its 1st, 5th, 25th, 50th, 75th, 95th and 99th
        percentiles, and the share of its pixels in each of 16 equal ranges.
    """
    values = np.moveaxis(tiles, -1, 1).reshape(len(tiles), tiles.shape[-1], -1)  # (B, C, pixels)
    moments = np.stack([values.mean(axis=-1), values.std(axis=-1)], axis=-1)
    percentiles = np.moveaxis(np.percentile(values, PERCENTILES, axis=-1), 0, -1)
    embeddings = np.concatenate([moments, percentiles, _histogram(values)], axis=-1)
    return embeddings.reshape(len(tiles), 1, 1, -1).astype(np.float32)


def _histogram(values: np.ndarray) -> np.ndarray:
    bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    rows = np.arange(bins.size // bins.shape[-1])[:, None]
    counts = np.bincount((bins.reshape(len(rows), -1) + rows * BINS).ravel(), minlength=len(rows) * BINS)
    return counts.reshape(*bins.shape[:-1], BINS) / bins.shape[-1]


def _embedded(pixels: TilePixels, network: keras.Model | None) -> np.ndarray:
    """Embed batch by batch; no more is held than the embeddings."""
    encode, multiple_of = describe_intensities, 1
    if network is not None:
        from kerasseg.inference.forward import forward
        from kerasseg.models import receptive_field

        encode, multiple_of = forward(network), receptive_field.stride(network)[0]
    embeddings = None
    for start in track(range(0, len(pixels), BATCH), "encoding batches", math.ceil(len(pixels) / BATCH)):
        stop = min(start + BATCH, len(pixels))
        batch = encode(pixels.batch(range(start, stop), multiple_of))
        if embeddings is None:
            embeddings = np.empty((len(pixels), *batch.shape[1:]), np.float32)
        embeddings[start:stop] = batch
    return embeddings


def _write(root: Path, embeddings: np.ndarray, network: keras.Model | None, record: dict[str, Any]) -> None:
    with write_atomically(root / folder.EMBEDDINGS) as path:
        np.save(path, embeddings, allow_pickle=False)
    if network is None:
        (root / folder.ENCODER).unlink(missing_ok=True)  # of another method
    else:
        with write_atomically(root / folder.ENCODER) as path:
            network.save(path)
    with write_atomically(root / folder.EMBEDDINGS_RECORD) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _record(root: Path) -> dict[str, Any] | None:
    try:
        return json.loads((Path(root) / folder.EMBEDDINGS_RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not made, or damaged: make it again
        return None


def _digest(tiles: Sequence[SlideTile]) -> str:
    """Tell tiles from others by where they lie and what they are like."""
    return hashlib.sha256(repr([astuple(tile) for tile in tiles]).encode()).hexdigest()
