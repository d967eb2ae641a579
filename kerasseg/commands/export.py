"""The verb `export`: a model or a cascade for TensorFlow Serving, or in a file that other programs open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasseg.cascade import Cascade, read_facts
from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.data.sample import Sample
from kerasseg.errors import UserError, unknown
from kerasseg.images.writing.outputs import check_free
from kerasseg.inference import openvino
from kerasseg.inference.forward import in_float32
from kerasseg.recipe import load
from kerasseg.recipe.recipe import Recipe
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.segmenter import load_trained
from kerasseg.serving import bioimageio, network
from kerasseg.serving.bioimageio import Origin
from kerasseg.serving.export import export as write_saved_model
from kerasseg.serving.export import export_cascade as write_cascade
from kerasseg.spec import ModelSpec

SAVED_MODEL, BIOIMAGEIO = "savedmodel", "bioimageio"
FILES = {BIOIMAGEIO: ".zip", "onnx": ".onnx", "openvino": ".xml"}
"""Formats that are one file, and what its name ends with."""


def export(
    path: Path,
    out: Path | None = None,
    *,
    to: str = SAVED_MODEL,
    authors: Sequence[str] = (),
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a run's model in a format.

    Parameters
    ----------
    path : Path
        The run's folder.
    out : Path, optional
        For a SavedModel the folder of the model's versions, of which the next is written, ``export`` in the
        run's folder by default; otherwise the file, ``NAME.zip``, ``NAME.onnx`` or ``NAME.xml`` there; of a
        shipped model in ``runs/MODEL``.
    to : str
        One of `SAVED_MODEL`, which TensorFlow Serving serves, and `FILES`.
    authors, license
        For a package of the BioImage Model Zoo: see `kerasseg.serving.bioimageio.Origin`.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    UserError
        If there is no trained run, the format is unknown or has no word for something, a package that it
        needs is missing, `out` has another format's name, or what was converted answers otherwise.
    """
    if to not in (SAVED_MODEL, *FILES):
        raise UserError(unknown("format", to, (SAVED_MODEL, *FILES)))
    if to != BIOIMAGEIO and (authors or license):
        raise UserError(f"authors and a license are told in a package; say --format {BIOIMAGEIO}")
    origin = Origin(authors, license and bioimageio.license_id(license))
    run = rundirectory.existing(path)
    recipe = load(run / rundirectory.RECIPE)
    if to == SAVED_MODEL:
        spec, model = load_trained(path)
        folder, name = out or run.results / rundirectory.EXPORT, out.name if out else recipe.name
        return export_model(model, spec, run, folder, name, _sample(recipe))
    file = out or run.results / f"{recipe.name}{FILES[to]}"
    if file.suffix != FILES[to]:
        raise UserError(
            f"{file}: expected the name of a file that ends with {FILES[to]}, as {to} is one file"
        )
    check_free((file,), overwrite)
    spec, model = load_trained(path)
    if to == BIOIMAGEIO:
        difference = _write_package(model, spec, run, file, recipe, origin)
    else:
        write = {"onnx": network.write_onnx, "openvino": openvino.write}[to]
        difference = write(in_float32(model), file, spec)
    say(f"exported {file}; largest difference from the Keras model {difference:.2g}")


def _sample(recipe: Recipe) -> Sample | None:
    """Find an image of the test part; None where the data are elsewhere."""
    data_are_there = all(source.root.is_dir() for source in recipe.data.sources)
    return preparation.parts(recipe).test[0] if data_are_there else None


def _write_package(
    model: keras.Model, spec: ModelSpec, run: RunDirectory, file: Path, recipe: Recipe, origin: Origin
) -> float:
    missing = [
        option for option, given in (("--author", origin.authors), ("--license", origin.license)) if not given
    ]
    if missing:
        say(f"the package does not say whose it is: the zoo wants {' and '.join(missing)}", style="yellow")
    sample = _sample(recipe)
    image = None if sample is None else sample.read(sample.middle())
    return bioimageio.write(
        model, file, spec, name=recipe.name, origin=origin, facts=_facts(run), image=image
    )


def _facts(run: RunDirectory) -> dict[str, Any]:
    """Gather how a model came about, for its card."""
    facts = {name: run.read_json(f"{name}.json") for name in ("data", "metrics", "environment", "base")}
    return {**facts, "run": run.path.name if run.is_shipped else str(run.path)}


def export_cascade(folder: Path, out: Path | None = None) -> None:
    """Write a cascade as one SavedModel, and say in how many pixels it differs from the cascade.

    Parameters
    ----------
    folder : Path
        The cascade's.
    out : Path, optional
        See `export`.

    Raises
    ------
    UserError
        If there is no trained cascade, or `out` is a version itself.
    """
    facts, metrics = read_facts(folder), RunDirectory(folder).read_json(rundirectory.METRICS)
    runs = {name: folder / stage["run"] for name, stage in facts["stages"].items()}
    models = {name: load_trained(run)[1] for name, run in runs.items()}
    recipe = load(next(iter(runs.values())) / rundirectory.RECIPE)
    data_are_there = all(source.root.is_dir() for source in recipe.data.sources)
    exported = write_cascade(
        models,
        out or folder / rundirectory.EXPORT,
        Cascade.load(folder),
        name=out.name if out else facts["name"],
        facts={"run": str(folder), "metrics": metrics},
        image=preparation.parts(recipe).test[0].read() if data_are_there else None,
    )
    share = exported.largest_difference
    say(f"exported {exported.path}; {share:.2g} of the pixels differ from the cascade's")


def export_model(
    model: keras.Model, spec: ModelSpec, run: RunDirectory, folder: Path, name: str, sample: Sample | None
) -> None:
    """Write the SavedModel that answers for raw images, and say how far it is from the Keras model.

    They are compared on the image of a sample, of a large one on its middle; on noise where there is none.
    """
    image = None if sample is None else sample.read(sample.middle())
    exported = write_saved_model(model, folder, spec, name=name, facts=_facts(run), image=image)
    say(
        f"exported {exported.path}; largest difference from the Keras model {exported.largest_difference:.2g}"
    )
