"""A code for every tile of a slide: what tiles are compared, clustered and drawn by.

==================  ================================================================================
method              what a code is
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
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError, unknown
from kerasseg.images.files import write_atomically
from kerasseg.images.normalise import Dtype, Normalisation
from kerasseg.labelling.embedding.intensity import intensity_codes
from kerasseg.labelling.embedding.pixels import Pixels
from kerasseg.labelling.tiles import SlideTile, read_tiles

if TYPE_CHECKING:
    import keras

ENCODER, CODES, RECORD = "encoder.keras", "codes.npy", "codes.json"
AT_ONCE = 64  # tiles that are encoded together

Encode = Callable[[np.ndarray], np.ndarray]
"""From tiles (B, Y, X, C) float32 in [0, 1] to their codes (B, height, width, filters) float32."""

Embedding = Callable[..., "keras.Model | None"]
"""From `Pixels`, settings and a seed to the network that encodes; None where none is needed."""


def autoencoder(
    pixels: Pixels, *, epochs: int = 20, batch_size: int = 32, tiles: int = 1500, seed: int
) -> keras.Model:
    """Train the paper's autoencoder on the spot: see `kerasseg.labelling.embedding.networks.autoencoded`."""
    from kerasseg.labelling.embedding import networks

    return networks.autoencoded(pixels, epochs=epochs, batch_size=batch_size, tiles=tiles, seed=seed)


def efficientnet(
    pixels: Pixels,
    *,
    encoder: str = "efficientnetb0",
    encoder_weights: str | None = "imagenet",
    encoder_weights_fallback: str = "error",
    seed: int,
) -> keras.Model:
    """Take a network that was trained on ImageNet: see `kerasseg.labelling.embedding.networks.pretrained`."""
    from kerasseg.labelling.embedding import networks

    return networks.pretrained(
        pixels,
        encoder=encoder,
        encoder_weights=encoder_weights,
        encoder_weights_fallback=encoder_weights_fallback,
        seed=seed,
    )


def intensity(pixels: Pixels, *, seed: int) -> None:
    """Need no network: see `kerasseg.labelling.embedding.intensity`."""


EMBEDDINGS: dict[str, Embedding] = {
    "autoencoder": autoencoder,
    "efficientnet": efficientnet,
    "intensity": intensity,
}


def embed(
    root: Path,
    *,
    method: str = "autoencoder",
    normalise: Normalisation = Dtype(),
    seed: int,
    **settings: Any,
) -> np.ndarray:
    """Make the codes of a slide's tiles; at once where these very ones are there already.

    Writes ``codes.npy``, ``encoder.keras`` where a network makes them, and ``codes.json``, which says of what
    tiles they are and how they were made. That one goes first and comes last, so that a step that was killed
    is done again.

    Parameters
    ----------
    root : Path
        The labelling folder, in which the slide was cropped.
    method : str
        A name in `EMBEDDINGS`.
    normalise : Normalisation
        What becomes 0 and 1 in the tiles.
    seed : int
        Of weights, of the tiles that are learnt from and of their order.
    **settings
        The method's own: ``epochs``, ``batch_size`` and ``tiles`` of the autoencoder, ``encoder_weights`` and
        ``encoder_weights_fallback`` of an EfficientNet.

    Returns
    -------
    numpy.ndarray, shape (N, height, width, filters), float32
        In the order of ``tiles.csv``: 16x16x8 by the autoencoder for 128x128 pixels, 1x1 by the others.

    Raises
    ------
    UserError
        If the method is unknown, a tile is missing or unlike the others, or pretrained weights cannot be had.
    """
    if method not in EMBEDDINGS:
        raise UserError(f"method: {unknown('embedding', method, EMBEDDINGS)}")
    root, tiles = Path(root), read_tiles(root)
    if not tiles:
        raise UserError(f"{root}: there are no tiles to embed; crop the slide first")
    how = {"method": method, "normalise": [normalise.name, asdict(normalise)], "seed": seed, **settings}
    asked = {"tiles": _digest(tiles), "how": how}
    if _record(root) == asked and (root / CODES).is_file():
        say(f"{root / CODES}: exists already")
        return read_codes(root, tiles)
    (root / RECORD).unlink(missing_ok=True)
    pixels = Pixels(root, tiles, normalise)
    network = EMBEDDINGS[method](pixels, seed=seed, **settings)
    codes = _encoded(pixels, network)
    _write(root, codes, network, asked)
    return codes


def read_codes(root: Path, tiles: Sequence[SlideTile]) -> np.ndarray:
    """Read the codes of a slide's tiles.

    Parameters
    ----------
    root : Path
        The labelling folder.
    tiles : sequence of SlideTile
        All of them, as `kerasseg.labelling.tiles.read_tiles` gives them.

    Returns
    -------
    numpy.ndarray, shape (N, height, width, filters), float32

    Raises
    ------
    UserError
        If there are no codes, they are damaged, or of other tiles.
    """
    path, record = Path(root) / CODES, _record(root)
    if record is None or not path.is_file():
        raise UserError(f"{path}: it is missing or unfinished; embed the tiles")
    try:
        codes = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{path}: it cannot be read ({error}); remove it, and embed the tiles again"
        ) from error
    if record.get("tiles") != _digest(tiles) or len(codes) != len(tiles):
        raise UserError(
            f"{path}: it holds {len(codes)} codes of other tiles than the {len(tiles)} in tiles.csv; embed "
            "the tiles again"
        )
    return codes


def _encoded(pixels: Pixels, network: keras.Model | None) -> np.ndarray:
    """Encode batch by batch; no more is held than the codes."""
    encode, multiple_of = intensity_codes, 1
    if network is not None:
        from kerasseg.inference.forward import forward
        from kerasseg.models import receptive_field

        encode, multiple_of = forward(network), receptive_field.stride(network)[0]
    codes = None
    for start in track(range(0, len(pixels), AT_ONCE), "encoding batches", math.ceil(len(pixels) / AT_ONCE)):
        places = range(start, min(start + AT_ONCE, len(pixels)))
        found = encode(pixels.batch(places, multiple_of))
        if codes is None:
            codes = np.empty((len(pixels), *found.shape[1:]), np.float32)
        codes[places.start : places.stop] = found
    return codes


def _write(root: Path, codes: np.ndarray, network: keras.Model | None, asked: dict[str, Any]) -> None:
    with write_atomically(root / CODES) as path:
        np.save(path, codes, allow_pickle=False)
    if network is None:
        (root / ENCODER).unlink(missing_ok=True)  # of another method
    else:
        with write_atomically(root / ENCODER) as path:
            network.save(path)
    with write_atomically(root / RECORD) as path:
        path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")


def _record(root: Path) -> dict[str, Any] | None:
    try:
        return json.loads((Path(root) / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not made, or damaged: make it again
        return None


def _digest(tiles: Sequence[SlideTile]) -> str:
    """Tell tiles from others by where they lie and what they are like."""
    return hashlib.sha256(repr([astuple(tile) for tile in tiles]).encode()).hexdigest()
