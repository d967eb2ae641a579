"""The trained model that a training goes on from, where the recipe names one in ``train.start_from``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras

from kerasseg.commands import build
from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.images.histogram_matching import Matching
from kerasseg.models.transfer import take_weights
from kerasseg.recipe import Recipe
from kerasseg.runs.rundirectory import BASE, RECIPE, RunDirectory, existing
from kerasseg.segmenter import load_trained, read_spec
from kerasseg.spec import ModelSpec


def begin(recipe: Recipe, model: keras.Model, match: Matching | None = None) -> dict[str, str]:
    """Give a new model the weights that its training goes on from; say which, and what is new to them.

    Parameters
    ----------
    recipe : Recipe
    model : keras.Model
        As `build.network` makes it.
    match : Matching, optional
        What `preparation.matching` counted.

    Returns
    -------
    dict
        ``run``, as the recipe names it; ``weights``, its fingerprint; ``taken``, which of them. Empty where
        the recipe begins anew.

    Raises
    ------
    UserError
        If there is no such model, it cannot be loaded safely, or nothing of it fits.
    """
    run = recipe.train.start_from
    if run is None:
        return {}
    (before, base), now = load_trained(Path(run)), build.model_spec(recipe, model, match)
    try:
        taken = take_weights(model, base, head=_gives(before) == _gives(now))
    except UserError as error:
        raise UserError(
            f"train.start_from: {run}: neither the networks nor their encoders are alike ({error}); take "
            f"model from {existing(Path(run)) / RECIPE}, or set start_from: null"
        ) from error
    say(f"going on from {run} ({before.weights[:12]}): {taken}")
    knew, gets = _known(before), _known(now)
    for name in knew:
        if knew[name] != gets[name]:
            warning = f"warning: {run} has learnt with {name} {knew[name]}, and gets {gets[name]}"
            say(warning, style="yellow")
    return {"run": run, "weights": before.weights, "taken": taken}


def _gives(spec: ModelSpec) -> tuple[str, bool]:
    """Tell what a network's last layer means, beside how many channels it has."""
    return spec.activation, spec.objects.by_landscape


def _known(spec: ModelSpec) -> dict[str, str]:
    """Describe the images that a model learns from, and what is outlined in them."""
    numbers = ", ".join(f"{name} {value:g}" for name, value in vars(spec.normalise).items())
    return {
        "channels": f"{spec.channels}" + f" and {spec.beside} classes beside them" * bool(spec.beside),
        "normalise": f"{spec.normalise.name} ({numbers})" if numbers else spec.normalise.name,
        "resize": " x ".join(map(str, spec.resize)) if spec.resize else "null",
        "match": "null" if spec.match is None else f"the histogram of its {spec.match.dtype} images",
        "classes": ", ".join(spec.classes),
    }


def keep(facts: Mapping[str, str], folder: RunDirectory) -> None:
    """Write down in a run what it went on from.

    Raises
    ------
    UserError
        If the run began, and was interrupted before it had learnt anything, with other weights of that model.
    """
    began = folder.read_json(BASE)
    if began and began["weights"] != facts["weights"]:
        raise UserError(
            f"train.start_from: {facts['run']} has changed since {folder.path} began with it; leave out "
            "--resume to start another run"
        )
    if facts:
        folder.write_json(BASE, facts)


def is_current(run: RunDirectory) -> bool:
    """Tell whether what a run went on from still has the weights that it began with, if it is still there."""
    facts = run.read_json(BASE)
    try:
        return not facts or read_spec(Path(facts["run"])).weights == facts["weights"]
    except UserError:
        return True  # moved or removed: what was learnt from it stays
