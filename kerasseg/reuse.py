"""What can be asked of a run that is over: its scores again, predictions of new images, another export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import keras

from kerasseg import postprocess, preparation, rundirectory
from kerasseg import run as story
from kerasseg.annotations.masks import write_mask
from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import files
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
        If there is no trained run, or its data are gone.
    """
    folder, recipe, model = opened(path)
    if threshold is not None:
        recipe = recipe.model_copy(update={"evaluate": Evaluate(threshold=threshold)})
    answering = story.predictor(recipe, model)
    judgement = story.evaluate(recipe, answering, preparation.parts(recipe).test, folder.path)
    folder.write_json("metrics.json", {**folder.read_json("metrics.json"), **asdict(judgement)})


def predict(path: Path, images: Path, out: Path) -> None:
    """Segment images with a run's model.

    Parameters
    ----------
    path : Path
        The run's folder, or its ``model.keras``.
    images : Path
        An image, or a folder of them.
    out : Path
        Gets a mask of class ids for each, ``<name>.mask.png``.

    Raises
    ------
    UserError
        If there is no trained run or no image, or images cannot be read; those that can are predicted first.
    """
    _, recipe, model = opened(path)
    answer = story.predictor(recipe, model)
    found = [images] if images.is_file() else files.find(images)
    if not found:
        raise UserError(f"{images}: there is no image here; expected {', '.join(sorted(files.SUFFIXES))}")
    root, problems = images if images.is_dir() else images.parent, []
    for image in track(found, "predicting"):
        try:
            probabilities = answer(files.read(image), str(image))
        except UserError as error:
            problems += error.messages
            continue
        mask = postprocess.mask(probabilities, recipe.evaluate.threshold, recipe.model.activation)
        write_mask(out / image.relative_to(root).with_suffix(".mask.png"), mask)
    say(f"wrote {len(found) - len(problems)} masks to {out}")
    if problems:
        raise UserError(*problems)


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
    story.export(recipe, model, folder, out)


def opened(path: Path) -> tuple[RunDirectory, Recipe, keras.Model]:
    """Open a trained run, given as its folder or as its ``model.keras``.

    Raises
    ------
    UserError
        If there is no run, it has no model yet, or the model cannot be loaded safely.
    """
    folder = rundirectory.existing(Path(path))
    if not (folder / "model.keras").is_file():
        raise UserError(
            f"{folder.path}: this run has no model.keras yet; go on with it by kerasseg run --resume"
        )
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
