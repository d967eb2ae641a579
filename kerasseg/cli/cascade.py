"""The verbs `kerasseg cascade ...`: several networks trained, and merged into one result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kerasseg.cli.verbs import Overrides, example
from kerasseg.errors import UserError
from kerasseg.startup import start_tensorflow

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def cascade() -> None:
    """Train several networks that make one mask."""


@app.command(**example("cascade run cascade.yaml stages.nuclei.recipe.train.epochs=5"))
def run(
    file: Annotated[Path, typer.Argument(metavar="CASCADE", help="A YAML file: see docs/cascades.md.")],
    overrides: Overrides = None,
    directory: Annotated[Path, typer.Option(help="Where cascades are kept.")] = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with runs that were interrupted.")] = False,
    stage: Annotated[str | None, typer.Option(help="Train this stage alone.")] = None,
) -> None:
    """Train what is not trained yet, stage by stage; then score and report."""
    from kerasseg.recipe.cascade import load_cascade

    recipe = load_cascade(file, overrides or ())
    start_tensorflow()
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
    from kerasseg.inference.backends import TENSORFLOW

    predict_by(Cascade.load(folder, engine=engine or TENSORFLOW), images, out, **options)
