"""Specifications of small models, for tests: what a test does not name is as simple as it can be."""

from dataclasses import replace

from kerasseg.images.normalisation import Dtype
from kerasseg.inference.backends import Backend
from kerasseg.segmenter import Segmenter
from kerasseg.spec import ModelSpec, Objects, TilingSettings

TILING = TilingSettings(32, overlap=4, blend="hann", padding="inside", tta="none", batch_size=2)
GREY = ModelSpec(
    classes=("cell",),
    multilabel=False,
    activation="sigmoid",
    threshold=0.5,
    channels=1,
    normalise=Dtype(),
    resize=None,
    stride=(4, 4),
    receptive_radius=None,
    objects=Objects("components", {}),
    tiling=TILING,
    weights="ab",
)


def tiling(**changes) -> TilingSettings:
    """Tiles of 32 pixels with a margin of 4, but for `changes`."""
    return replace(TILING, **changes)


def spec(**changes) -> ModelSpec:
    """A model of grey images and one class, but for `changes`."""
    return replace(GREY, **changes)


def segmenter(forward, tiles=None, **changes) -> Segmenter:
    """Put a function from batches to probabilities in the place of a network."""
    return Segmenter(spec(tiling=tiling(**tiles or {}), **changes), Backend(forward))
