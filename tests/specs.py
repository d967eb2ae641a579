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


def write_run(folder, model, **changes) -> None:
    """Write what `Segmenter.load` reads of a run: a Keras model, and its specification but for `changes`."""
    from kerasseg.models.saved import fingerprint  # imports TensorFlow

    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    (folder / "spec.json").write_text(spec(**{"weights": fingerprint(model), **changes}).to_json())
    (folder / "recipe.yaml").touch()


def segmenter(forward, tiles=None, **changes) -> Segmenter:
    """Put a function from batches to probabilities in the place of a network."""
    return Segmenter(spec(tiling=tiling(**tiles or {}), **changes), Backend(forward))
