"""The verb `export`: a run's model, or a cascade, as a SavedModel that TensorFlow Serving serves."""

from __future__ import annotations

from pathlib import Path

import keras

from kerasseg.cascade import Cascade, read_facts
from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.data.sample import Sample
from kerasseg.recipe import load
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.segmenter import load_trained
from kerasseg.serving.export import export as write_saved_model
from kerasseg.serving.export import export_cascade as write_cascade
from kerasseg.spec import ModelSpec


def export(path: Path, out: Path | None = None) -> None:
    """Write a run's model as a SavedModel.

    Parameters
    ----------
    path : Path
        The run's folder.
    out : Path, optional
        The folder of the model's versions, of which the next is written; ``export`` in the run's folder by
        default.

    Raises
    ------
    UserError
        If there is no trained run, or `out` is a version itself.
    """
    spec, model = load_trained(path)
    run = rundirectory.existing(path)
    recipe = load(run / rundirectory.RECIPE)
    data_are_there = all(source.root.is_dir() for source in recipe.data.sources)
    sample = preparation.parts(recipe).test[0] if data_are_there else None
    export_model(model, spec, run, out or run / rundirectory.EXPORT, out.name if out else recipe.name, sample)


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

    They are compared on the image of a sample, and on noise where there is none.
    """
    facts = {name: run.read_json(f"{name}.json") for name in ("data", "metrics", "environment")}
    facts["run"] = str(run.path)
    image = None if sample is None else sample.read()
    exported = write_saved_model(model, folder, spec, name=name, facts=facts, image=image)
    say(
        f"exported {exported.path}; largest difference from the Keras model {exported.largest_difference:.2g}"
    )
