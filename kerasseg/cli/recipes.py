"""The verbs `kerasseg recipes ...`, for the recipes that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.cli.verbs import example

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def list_recipes(context: typer.Context) -> None:
    """List the shipped recipes, or copy one to change it."""
    if context.invoked_subcommand:
        return
    from kerasseg.recipe.shipped import about, shipped

    for name, path in shipped().items():
        typer.echo(f"{name:24} {about(path)}")


@app.command(**example("recipes copy sartorius_linknet mine.yaml"))
def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The recipe, as `kerasseg recipes` lists it.")],
    to: Annotated[Path, typer.Argument(metavar="TO", help="The folder or the file to write to.")] = Path(),
) -> None:
    """Copy a shipped recipe, with the schema by which editors check it."""
    from kerasseg.recipe.shipped import copy

    typer.echo(f"wrote {copy(name, to)}")
