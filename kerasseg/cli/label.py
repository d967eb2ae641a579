"""The verbs `kerasseg label ...`: the steps of the labelling loop, each of which can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.cli.verbs import Overrides, RecipeFile, example, load_recipe, start_tensorflow
from kerasseg.errors import UserError

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

Runs = Annotated[Path, typer.Option(help="Where runs are kept.")]


@app.callback()
def label() -> None:
    """Label a slide tile by tile, step by step."""


@app.command(**example("label crop recipes/cfos_curate.yaml label.slide=slides/brain.ome.tif"))
def crop(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Cut the slide into tiles."""
    from kerasseg.commands import label as curate

    curate.crop(load_recipe(recipe, overrides))


@app.command(**example("label embed recipes/cfos_curate.yaml"))
def embed(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Give every tile a code by which tiles are compared."""
    recipe = load_recipe(recipe, overrides)
    start_tensorflow()
    from kerasseg.commands import label as curate

    curate.embed(recipe)


@app.command(**example("label cluster recipes/cfos_curate.yaml label.clusters=auto"))
def cluster(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Group tiles that are alike."""
    from kerasseg.commands import label as curate

    curate.cluster(load_recipe(recipe, overrides))


@app.command(**example("label look recipes/cfos_curate.yaml"))
def look(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Draw the page of the clusters."""
    from kerasseg.commands import label as curate

    curate.look(load_recipe(recipe, overrides))


@app.command(**example("label select recipes/cfos_curate.yaml label.select.budget=40"))
def select(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Draw another round of tiles into the queue."""
    from kerasseg.commands import label as curate

    curate.select(load_recipe(recipe, overrides))


@app.command(**example("label propose recipes/cfos_curate.yaml"))
def propose(recipe: RecipeFile, overrides: Overrides = None, directory: Runs = Path("runs")) -> None:
    """Draw the tiles that wait, by a model or Segment Anything."""
    recipe = load_recipe(recipe, overrides)
    start_tensorflow()
    from kerasseg.commands import label as curate

    curate.propose(recipe, directory)


@app.command(name="open", **example("label open recipes/cfos_curate.yaml"))
def open_(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Open labelme on the queue."""
    from kerasseg.commands import label as curate

    curate.open_queue(load_recipe(recipe, overrides))


@app.command(**example("label review recipes/cfos_curate.yaml"))
def review(
    recipe: RecipeFile,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(help="Of the page's address; any free one by default.")] = 0,
    sheets: Annotated[bool, typer.Option("--sheets", help="Only draw sheets of what waits.")] = False,
) -> None:
    """Accept or reject what is proposed, on a page in the browser."""
    from kerasseg.commands import label as curate

    recipe = load_recipe(recipe, overrides)
    if sheets:
        curate.draw_sheets(recipe)
    else:
        curate.review(recipe, port)


@app.command(**example("label status recipes/cfos_curate.yaml"))
def status(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Say how far the labelling is."""
    from kerasseg.commands import label as curate

    curate.status(load_recipe(recipe, overrides))


@app.command(**example("label curve recipes/cfos_curate.yaml --truth truth.labels.ome.tif"))
def curve(
    recipe: RecipeFile,
    overrides: Overrides = None,
    truth: Annotated[Path | None, typer.Option(help="A slide of labels instead of persons.")] = None,
    tiles: Annotated[str, typer.Option(help="Numbers of labelled tiles.")] = "0,5,30,80,150,250",
    policies: Annotated[str, typer.Option(help="How tiles are drawn.")] = "random,balanced",
    seeds: Annotated[int, typer.Option(help="How often, with other tiles and weights.")] = 3,
    rounds: Annotated[int, typer.Option(help="Of proposals, by simulated review.")] = 2,
    out: Annotated[Path, typer.Option(help="Gets the curve; it goes on there.")] = Path("curves"),
) -> None:
    """Score models by how many labelled tiles they learnt from."""
    recipe = load_recipe(recipe, overrides)
    numbers = tuple(_whole(number) for number in tiles.split(","))
    start_tensorflow()
    from kerasseg.commands import label as curate

    plan = {"tiles": numbers, "policies": tuple(policies.split(",")), "seeds": seeds, "rounds": rounds}
    curate.curve(recipe, out / recipe.name, truth, **plan)


def _whole(number: str) -> int:
    if not number.strip().isdecimal():
        raise UserError(f"--tiles {number!r}: expected whole numbers with commas, such as 0,5,30")
    return int(number)
