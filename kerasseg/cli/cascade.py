"""What verbs do where they are given a cascade, or the folder of one, instead of a recipe or a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasseg.errors import UserError


def is_cascade(recipe: Any) -> bool:
    """Tell what was read from a cascade's file from what was read from a recipe's."""
    from kerasseg.recipe import CascadeRecipe

    return isinstance(recipe, CascadeRecipe)


def run(recipe: Any, *, directory: Path, resume: bool, stage: str | None) -> None:
    """Train what is not trained yet of a cascade."""
    from kerasseg.commands.cascade import run

    run(recipe, directory=directory, resume=resume, stage=stage)


def is_trained(folder: Path) -> bool:
    """Tell whether a folder is that of a trained cascade."""
    from kerasseg.cascade import FILE

    return (folder / FILE).is_file()


def runs(folder: Path) -> str:
    """Name the runs of a cascade's stages."""
    from kerasseg.cascade import read_facts

    return ", ".join(str(folder / stage["run"]) for stage in read_facts(folder)["stages"].values())


def predict(
    folder: Path, images: Path, out: Path, *, refused: Mapping[str, Any], engine: str | None, **options: Any
) -> None:
    """Segment images by a trained cascade.

    Raises
    ------
    UserError
        Of options that are the stages' own.
    """
    if given := [f"--{name}" for name, value in refused.items() if value is not None]:
        raise UserError(
            f"{', '.join(given)}: {folder} is a cascade, whose stages have settings of their own; leave this "
            "out, and say it in the recipes of the stages"
        )
    from kerasseg.cascade import Cascade
    from kerasseg.commands.predict import predict_by
    from kerasseg.inference.backends import AUTO

    predict_by(Cascade.load(folder, engine=engine or AUTO), images, out, **options)
