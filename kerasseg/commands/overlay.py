"""Pictures of predicted objects over their image, of a size that can be looked at, for images of any size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from kerasseg.console import say
from kerasseg.images import files, folders
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.resume import record
from kerasseg.report import pictures

LONGEST = 4096  # pixels along the longer side of a picture
ROWS = 512  # of an image that are read together


def draw_overlay(image: Path, labels: Path, axes: str | None) -> None:
    """Draw the outlines and ids of objects over their image: ``NAME.overlay.png`` beside the labels.

    What is there and not older than the labels is left as it is. Larger images are thinned to every n-th
    pixel; volumes have no such picture.

    Parameters
    ----------
    image, labels : Path
        Both as `kerasseg.images.stores.store.open_store` opens them.
    axes : str or None
        Of the image, where it does not say.

    Raises
    ------
    UserError
        If one cannot be read, or the picture not be written.
    """
    path = labels.with_name(f"{folders.stem(labels).removesuffix('.labels')}.overlay.png")
    if path.exists() and path.stat().st_mtime >= labels.stat().st_mtime:
        return
    with open_store(image, axes) as shown, open_store(labels, values=True) as numbered:
        if numbered.axes != "YXC":
            say(f"{labels}: it is a volume, of which no overlay is drawn; open it in napari or Fiji")
            return
        step = math.ceil(max(numbered.shape) / LONGEST)
        files.write(path, pictures.with_objects(_thinned(shown, step), _thinned(numbered, step)))
    record(path, {"overlay": labels.name})  # so that it is not taken for an image


def _thinned(store: Store, step: int) -> np.ndarray:
    """Read every n-th row and column: (Y, X, C)."""
    bands = cuts(store.shape[0], ROWS * step)
    return np.concatenate([store.read((rows, slice(None)))[::step, ::step] for rows in bands])
