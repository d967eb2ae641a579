"""A slide's truth, cut as its tiles were: what answers, in experiments, what a person would have drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations.label_images import as_labels
from kerasseg.annotations.values import class_ids
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError
from kerasseg.images.padding import cut
from kerasseg.images.stores.store import open_store
from kerasseg.labelling.clustering import clusters
from kerasseg.labelling.slide import read_window
from kerasseg.labelling.sliding import SlidingWindow
from kerasseg.labelling.tiles import SlideTile, read_tiles, tile_path


@dataclass(frozen=True)
class Truth:
    """An image of labels or classes, as large as the slide.

    Parameters
    ----------
    path : Path
        Whatever `kerasseg.images.stores.store.open_store` opens. With one class every number but 0 is an
        object of it; with several the numbers are class ids.
    classes : tuple of str
        Names of the foreground classes.
    window : SlidingWindow
        What the slide was cut by.
    """

    path: Path
    classes: tuple[str, ...]
    window: SlidingWindow

    def annotate(self, y: int, x: int) -> Annotation:
        """Cut out a tile, given the first pixel of its core on the slide: masks (tile, tile)."""
        starts = (at - self.window.margin for at in (y, x))
        region = tuple(slice(start, start + self.window.tile) for start in starts)
        with open_store(self.path, values=True) as store:
            values = cut(store, region, self.window.padding)[..., 0]
        if len(self.classes) > 1:
            return Annotation(class_ids(len(self.classes)).mask(values, self.path))
        labels = as_labels(values, self.path)
        return Annotation((labels > 0).astype(np.uint8), labels)


def true_samples(root: Path, truth: Path, classes: Sequence[str]) -> list[Sample]:
    """List the tiles of a slide with their true annotations.

    Parameters
    ----------
    root : Path
        The labelling folder, its tiles clustered.
    truth : Path
        As large as the slide; read by region, tile by tile, when asked.
    classes : sequence of str
        Names of the foreground classes.

    Returns
    -------
    list of Sample
        In the order of ``tiles.csv``, with the attributes ``part`` and ``cluster``.

    Raises
    ------
    UserError
        If the truth cannot be opened, or does not fit the slide.
    """
    window, tiles = read_window(root), read_tiles(root)
    _check_size(truth, window.size)
    answers = Truth(truth, tuple(classes), window)
    numbers = clusters.read(root, [tile.name for tile in tiles]).cluster
    return [_sample(root, tile, int(n), answers) for tile, n in zip(tiles, numbers, strict=True)]


def _sample(root: Path, tile: SlideTile, cluster: int, truth: Truth) -> Sample:
    size, annotate = (truth.window.tile,) * 2, partial(truth.annotate, tile.y, tile.x)
    attributes = {"part": tile.part, "cluster": str(cluster)}
    return Sample(tile.name, tile_path(root, tile.name), size, annotate, attributes)


def _check_size(truth: Path, slide: tuple[int, int]) -> None:
    with open_store(truth, values=True) as store:
        shape = store.shape
    if shape != (*slide, 1):
        raise UserError(
            f"{truth}: it is {' x '.join(map(str, shape))} (height, width, channels), and the slide is "
            f"{slide[0]} x {slide[1]}; expected one number a pixel of this slide"
        )
