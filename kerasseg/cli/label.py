"""The verbs `kerasseg label ...`: the steps of the labelling loop, each of which can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.cli.verbs import Overrides, RecipeFile, example, load_recipe
from kerasseg.errors import UserError
from kerasseg.startup import start_tensorflow

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

Runs = Annotated[Path, typer.Option(help="Folder in which runs are kept.")]


@app.callback()
def label() -> None:
    """Label a slide tile by tile, step by step."""


@app.command(**example("label crop recipes/cfos_curate.yaml label.slide=slides/brain.ome.tif"))
def crop(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Cut the slide into tiles."""
    from kerasseg.commands.label import crop_slide

    crop_slide(load_recipe(recipe, overrides))


@app.command(**example("label embed recipes/cfos_curate.yaml"))
def embed(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Embed every tile, so that tiles can be compared."""
    recipe = load_recipe(recipe, overrides)
    start_tensorflow()
    from kerasseg.commands.label import embed_tiles

    embed_tiles(recipe)


@app.command(**example("label cluster recipes/cfos_curate.yaml label.clusters=auto"))
def cluster(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Group tiles that are alike."""
    from kerasseg.commands.label import cluster_tiles

    cluster_tiles(load_recipe(recipe, overrides))


@app.command(**example("label look recipes/cfos_curate.yaml"))
def look(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Draw a page that shows the clusters."""
    from kerasseg.commands.label import draw_clusters_page

    draw_clusters_page(load_recipe(recipe, overrides))


@app.command(**example("label select recipes/cfos_curate.yaml label.select.budget=40"))
def select(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Select another round of tiles for the queue."""
    from kerasseg.commands.label import select_tiles

    select_tiles(load_recipe(recipe, overrides))


@app.command(**example("label propose recipes/cfos_curate.yaml"))
def propose(recipe: RecipeFile, overrides: Overrides = None, directory: Runs = Path("runs")) -> None:
    """Let a model propose shapes on the waiting tiles."""
    recipe = load_recipe(recipe, overrides)
    start_tensorflow()
    from kerasseg.commands.label import propose_shapes

    propose_shapes(recipe, directory)


@app.command(name="open", **example("label open recipes/cfos_curate.yaml"))
def open_(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Draw the tiles of the queue in labelme."""
    from kerasseg.commands.label import open_labelme

    open_labelme(load_recipe(recipe, overrides))


@app.command(**example("label review recipes/cfos_curate.yaml"))
def review(
    recipe: RecipeFile,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(help="Port of the page; 0 takes any that is free.")] = 0,
    sheets: Annotated[
        bool, typer.Option("--sheets", help="Draw contact sheets of the waiting tiles instead.")
    ] = False,
) -> None:
    """Accept or reject proposals in the browser."""
    from kerasseg.commands.label import draw_sheets, review_proposals

    recipe = load_recipe(recipe, overrides)
    if sheets:
        draw_sheets(recipe)
    else:
        review_proposals(recipe, port)


@app.command(**example("label status recipes/cfos_curate.yaml"))
def status(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Say how far the labelling is."""
    from kerasseg.commands.label import show_status

    show_status(load_recipe(recipe, overrides))


@app.command(**example("label curve recipes/cfos_curate.yaml --truth truth.labels.ome.tif"))
def curve(
    recipe: RecipeFile,
    overrides: Overrides = None,
    truth: Annotated[
        Path | None, typer.Option(help="Image of the true labels; default: what persons labelled.")
    ] = None,
    tiles: Annotated[
        str, typer.Option(help="Numbers of labelled tiles to train models on.")
    ] = "0,5,30,80,150,250",
    policies: Annotated[str, typer.Option(help="Policies that select the tiles.")] = "random,balanced",
    seeds: Annotated[int, typer.Option(help="Models for each number, on other tiles.")] = 3,
    rounds: Annotated[
        int, typer.Option(help="Rounds in which a model labels further tiles and a simulated person accepts.")
    ] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the curve, which is resumed there.")] = Path("curves"),
) -> None:
    """Score models by the number of tiles they learnt from."""
    recipe = load_recipe(recipe, overrides)
    numbers = tuple(_whole(number) for number in tiles.split(","))
    start_tensorflow()
    from kerasseg.commands.label import root_of
    from kerasseg.commands.learning_curve.curve import compute_curve
    from kerasseg.commands.learning_curve.points import Plan
    from kerasseg.console import say

    plan = Plan(tiles=numbers, policies=tuple(policies.split(",")), seeds=seeds, rounds=rounds)
    page = compute_curve(recipe, plan, root=root_of(recipe), truth=truth, directory=out / recipe.name)
    say(f"look at {page}")


def _whole(number: str) -> int:
    if not number.strip().isdecimal():
        raise UserError(f"--tiles {number!r}: expected whole numbers with commas, such as 0,5,30")
    return int(number)
