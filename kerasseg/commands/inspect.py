"""What a model is made of and what it costs, before it is trained or after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from rich.table import Table

from kerasseg.commands import build
from kerasseg.console import console, say
from kerasseg.models import summary
from kerasseg.recipe import Recipe, load
from kerasseg.runs import rundirectory
from kerasseg.segmenter import Segmenter, load_trained

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
        channels = (target.data.channels or CHANNELS) + len(target.data.sees)
        recipe, model = target, build.network(build.without_pretrained(target), channels)
    else:
        _, model = load_trained(target)
        recipe = load(rundirectory.existing(target) / rundirectory.RECIPE)
    segmenter = build.segmenter(recipe, model)
    size = build.seen_size(recipe, segmenter.spec.stride)
    facts = describe(model, segmenter, size, recipe.train.batch_size)
    console.print(_blocks(facts))
    console.print(_costs(facts))


def describe(
    model: keras.Model, segmenter: Segmenter, size: tuple[int, ...], batch_size: int
) -> dict[str, Any]:
    """Sum up what the model is made of and what it costs on images of a size."""
    say(f"measuring the model's cost at {'x'.join(map(str, size))}")
    return summary.describe(model, size, batch=batch_size, forward=segmenter.backend.forward)


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
