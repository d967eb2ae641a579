"""What a model is made of and what it costs, before it is trained or after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from kerasseg.commands import train as story
from kerasseg.commands.reuse import opened
from kerasseg.console import console
from kerasseg.recipe import Recipe

CHANNELS = 3
"""Of a model whose recipe takes its images' own channels, which an inspection does not open."""


def inspect(target: Recipe | Path) -> None:
    """Print a model's blocks and what it costs.

    Parameters
    ----------
    target : Recipe or Path
        A recipe, whose model is built with random weights; or a run's folder, or its model.keras.

    Raises
    ------
    UserError
        If there is no model at that path, or the recipe's cannot be built.
    """
    if isinstance(target, Recipe):
        recipe, model = target, story.build(_untrained(target), target.data.channels or CHANNELS)
    else:
        _, recipe, model = opened(target)
    size = story.seen_size(recipe, model)
    facts = story.describe_model(recipe, model, story.predictor(recipe, model), size)
    console.print(_blocks(facts))
    console.print(_costs(facts))


def _untrained(recipe: Recipe) -> Recipe:
    """Leave out an encoder's weights, which change nothing of what is looked at and take a download."""
    if "encoder_weights" not in recipe.model.arguments:
        return recipe
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"encoder_weights": None})})


def _blocks(facts: dict[str, Any]) -> Table:
    table = _table(f"{facts['name']} at {_size(facts)}", "block", "layers", "parameters", "MFLOP")
    for block in facts["blocks"]:
        table.add_row(
            block["block"], str(block["layers"]), f"{block['parameters']:,}", f"{block['flops'] / 1e6:,.1f}"
        )
    return table


def _costs(facts: dict[str, Any]) -> str:
    return (
        f"{facts['parameters']:,} parameters, {facts['flops'] / 1e9:.2f} GFLOP and "
        f"{facts['latency_ms']:.0f} ms an image of {_size(facts)} on this machine; "
        f"about {facts['memory_mb']:,.0f} MB to train in batches of {facts['batch']}\n"
    )


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _size(facts: dict[str, Any]) -> str:
    return "x".join(map(str, facts["size"]))
