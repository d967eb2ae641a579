"""What can be asked of a run that is over: its scores again, and another export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import keras

from kerasseg import preparation, rundirectory
from kerasseg import run as story
from kerasseg.errors import UserError
from kerasseg.models import mixed_scale_dense  # noqa: F401  # it registers a layer that a model may have
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import Evaluate
from kerasseg.rundirectory import RunDirectory


def evaluate(path: Path, *, threshold: float | None = None) -> None:
    """Score a run's model on its test images again, and keep the scores in its ``metrics.json``.

    Parameters
    ----------
    path : Path
        The run's folder.
    threshold : float, optional
        Instead of the recipe's.

    Raises
    ------
    UserError
        If there is no trained run, its data are gone, or another process writes into it.
    """
    folder, recipe, model = opened(path)
    if threshold is not None:
        recipe = recipe.model_copy(update={"evaluate": Evaluate(threshold=threshold)})
    answering = story.predictor(recipe, model)
    with folder.held():
        judgement = story.evaluate(recipe, answering, preparation.parts(recipe).test, folder.path)
        folder.write_json("metrics.json", {**folder.read_json("metrics.json"), **asdict(judgement)})


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
    folder, recipe, model = opened(path)
    there = all(source.root.is_dir() for source in recipe.data.sources)
    sample = preparation.parts(recipe).test[0] if there else None
    story.export(recipe, model, folder, out, sample=sample)


def opened(path: Path) -> tuple[RunDirectory, Recipe, keras.Model]:
    """Open a trained run, given as its folder or as its ``model.keras``.

    Raises
    ------
    UserError
        If there is no run, it has no model yet, or the model cannot be loaded safely.
    """
    folder = rundirectory.existing(Path(path))
    if not (folder / "model.keras").is_file():
        failed = folder.read_json("status.json").get("error", "").partition("\n")[0]
        mend = f"it failed: {failed}; mend that and run the recipe again"
        resume = "go on with it by kerasseg run RECIPE --resume"
        raise UserError(f"{folder.path}: this run has no model.keras yet; {mend if failed else resume}")
    return folder, folder.recipe, load_model(folder / "model.keras")


def load_model(path: Path) -> keras.Model:
    """Load a model that carries no code.

    Raises
    ------
    UserError
        If it is not a Keras model, or carries code of its own.
    """
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: this is no Keras model that can be loaded safely ({reason})") from error
