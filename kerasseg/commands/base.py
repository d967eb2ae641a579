"""The trained model that a training goes on from, where the recipe names one in ``train.start_from``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras

from kerasseg.commands import build
from kerasseg.console import say
from kerasseg.data.survey import Contents
from kerasseg.errors import UserError, naming
from kerasseg.images.histogram_matching import Matching
from kerasseg.models.transfer import take_weights
from kerasseg.recipe import Recipe
from kerasseg.runs.rundirectory import BASE, RECIPE, RunDirectory, existing
from kerasseg.runs.shipped import card_of
from kerasseg.segmenter import load_trained, read_spec
from kerasseg.spec import ModelSpec

ALIKE = 1.25  # times by which diameters of objects may differ


def begin(
    recipe: Recipe,
    model: keras.Model,
    match: Matching | None = None,
    learnt_from: Contents | None = None,
) -> dict[str, str]:
    """Give a new model the weights that its training goes on from; say which, and what is new to them.

    Parameters
    ----------
    recipe : Recipe
    model : keras.Model
        As `build.network` makes it.
    match, learnt_from : optional
        What is known of the training images: see `build.model_spec`.

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
    with naming("train.start_from"):
        before, base = load_trained(Path(run))
    now = build.model_spec(recipe, model, match, learnt_from)
    try:
        taken = take_weights(model, base, head=_answers(before) == _answers(now))
    except UserError as error:
        raise UserError(
            f"train.start_from: {run}: neither the networks nor their encoders are alike ({error}); take "
            f"model from {_recipe_of(Path(run))}, or set start_from: null"
        ) from error
    say(f"going on from {run} ({before.weights[:12]}): {taken}")
    for news in _news(before, now):
        say(f"warning: {run} has learnt with {news}", style="yellow")
    return {"run": run, "weights": before.weights, "taken": taken}


def _recipe_of(run: Path) -> str:
    """Say where the recipe of a run, or of a shipped model, can be read."""
    folder = existing(run)
    if folder.is_shipped:
        return f"its recipe (kerasseg recipes copy {card_of(folder.path)[0]['recipe']})"
    return str(folder / RECIPE)


def _answers(spec: ModelSpec) -> tuple[bool, int, bool]:
    """Say what a network's answers mean, whatever its classes are called."""
    return spec.activation == "softmax", len(spec.classes), spec.objects.by_landscape


def _news(before: ModelSpec, now: ModelSpec) -> list[str]:
    """Say in what the images differ, and what is to be found in them, where weights had others to learn."""
    knew, gets = _known(before), _known(now)
    news = [f"{name} {knew[name]}, and gets {gets[name]}" for name in knew if knew[name] != gets[name]]
    diameters = before.diameter, now.diameter
    if None not in diameters and max(diameters) > ALIKE * min(diameters):
        news.append("objects {:.0f} pixels across, and gets such of {:.0f}".format(*diameters))
    return news


def _known(spec: ModelSpec) -> dict[str, str]:
    numbers = ", ".join(f"{name} {value:g}" for name, value in vars(spec.normalise).items())
    return {
        "channels": f"{spec.channels}" + f" and {spec.beside} classes beside them" * bool(spec.beside),
        "normalise": f"{spec.normalise.name} ({numbers})" if numbers else spec.normalise.name,
        "resize": " x ".join(map(str, spec.resize)) if spec.resize else "null",
        "match": f"the histogram of its {spec.match.dtype} images" if spec.match else "null",
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
