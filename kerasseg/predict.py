"""The verb `predict`: a run's model, or one on a server, segments an image or a folder of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from kerasseg import reuse
from kerasseg import run as story
from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.postprocess import streaming
from kerasseg.prediction import engines, record
from kerasseg.prediction.forward import Forward
from kerasseg.prediction.predictor import Predictor
from kerasseg.recipe import amended
from kerasseg.recipe.instances import AnyInstances, Components
from kerasseg.recipe.recipe import Evaluate, Predict
from kerasseg.segmentation import Wanted, facts, segment
from kerasseg.serving.export import fingerprint
from kerasseg.serving.metadata import Metadata

STORES = (".zarr",)  # folders that are one image


@dataclass(frozen=True)
class Model:
    """What answers, what it says of itself, and how it would like to be asked."""

    forward: Forward
    metadata: Metadata
    tiles: Predict
    instances: AnyInstances
    engine: str = engines.TENSORFLOW  # servers run it too


def local(path: Path, engine: str = engines.TENSORFLOW) -> Model:
    """Open a run's model, given as the run's folder or its ``model.keras``, for one of `ENGINES`."""
    compiled = engines.find(engine)
    _, recipe, model = reuse.opened(path)
    told = replace(story.metadata(recipe, model), weights=fingerprint(model))
    return Model(compiled(model), told, recipe.predict, recipe.instances or Components(), engine)


def served(url: str) -> Model:
    """Find a model on a server, such as ``grpc://localhost:8500/cells``."""
    from kerasseg.serving import client  # its packages are an extra

    remote = client.forward(url)
    return Model(remote, remote.metadata, Predict(), Components())


def predict(
    model: Model,
    images: Path,
    out: Path,
    *,
    what: str = "mask",
    to: str | None = None,
    axes: str | None = None,
    threshold: float | None = None,
    force: bool = False,
    **tiles: Any,
) -> None:
    """Segment images; what is there already is left as it is, and what was begun is gone on with.

    Parameters
    ----------
    model : Model
        See `local` and `served`.
    images : Path
        An image of any size, or a folder of images.
    out : Path
        Gets a file for each, such as ``<name>.mask.png``, and ``predictions.json``, which tells how they were
        made.
    what, to : str
        See `kerasseg.segmentation.Wanted`; PNG by default, OME-TIFF for probabilities.
    axes : str, optional
        What the stored axes are, such as ``ZYX``, where files do not say.
    threshold : float, optional
        Instead of the model's own.
    force : bool
        Whether to start over and to replace what is there.
    **tiles
        Instead of the recipe's `predict`: tile, overlap, blend, padding, symmetries.

    Raises
    ------
    UserError
        If there is no image, or some of them cannot be read; the others are predicted first.
    """
    told = model.metadata
    threshold = amended(Evaluate(threshold=told.threshold), threshold=threshold).threshold
    settings = amended(model.tiles, **tiles)
    to = to or ("tiff" if what == "probabilities" else "png")
    wanted = Wanted(what, to, told.classes, threshold, told.activation, _number(model.instances))
    tiling = {**dict(settings), "multiple_of": told.stride}
    answering = Predictor(model.forward, told.channels, told.normalise, told.resize, tiling)
    asked = {"model": told.weights, "engine": model.engine, "what": what, "threshold": threshold}
    asked |= {"predict": dict(settings)}
    asked |= {"instances": model.instances.model_dump(mode="json")} if what == "labels" else {}
    segment_one = partial(segment, predictor=answering, wanted=wanted, axes=axes, force=force)
    _each(images, out, wanted.suffix, asked, segment_one, force)


def _number(instances: AnyInstances) -> Callable:
    return partial(streaming.STREAMED[instances.name], **instances.arguments)


def _each(
    images: Path,
    out: Path,
    suffix: str,
    asked: dict[str, Any],
    segment_one: Callable,
    force: bool,
) -> None:
    """Segment image after image; those that cannot be read are named at the end."""
    written, there, problems = 0, 0, []
    for image, name in _found(images):
        result = out / f"{name}{suffix}"
        try:
            told = json.loads(json.dumps({"image": facts(image), **asked}))  # tuples become lists, as on disk
            if not force and record.is_done(result, told):
                there += 1
                continue
            segment_one(image, result, asked=asked)
            record.keep(result, told)
            written += 1
        except UserError as error:
            problems += error.messages
    say(f"wrote {written} results to {out}" + (f"; {there} were there already" if there else ""))
    if problems:
        raise UserError(*problems)


def _found(images: Path) -> Iterator[tuple[Path, Path]]:
    """Yield images with their names under the folder that was given."""
    if images.is_file() or images.suffix in STORES:
        yield images, Path(_stem(images))
        return
    found = files.find(images)
    stores = [path for suffix in STORES for path in images.rglob(f"*{suffix}")]
    if not found and not stores:
        raise UserError(
            f"{images}: there is no image here; expected {', '.join(sorted(files.SUFFIXES))} or {STORES[0]}"
        )
    for path in sorted([*found, *stores]):
        yield path, path.relative_to(images).with_name(_stem(path))


def _stem(image: Path) -> str:
    """Leave out the suffix, and ``.ome`` before it."""
    return image.with_suffix("").name.removesuffix(".ome")
