"""The story of the labelling loop: from a slide to tiles worth labelling, to a model, and to the next tiles.

Each step reads what the ones before it wrote into the labelling folder, and is done at once where nothing has
changed. `turn` goes through them as far as it can without a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import locks
from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.labelling import tiles
from kerasseg.labelling.clustering import clusters
from kerasseg.labelling.clustering.layout import layout
from kerasseg.labelling.embedding.embed import embed as embed_tiles
from kerasseg.labelling.embedding.embed import read_codes
from kerasseg.labelling.opening import open_labelme
from kerasseg.labelling.propose import by_model, unproposed
from kerasseg.labelling.propose import propose as propose_tiles
from kerasseg.labelling.queue import queue
from kerasseg.labelling.select import select as select_tiles
from kerasseg.recipe import Recipe
from kerasseg.recipe.labelling import Label
from kerasseg.review import review as reviewing
from kerasseg.runs import rundirectory
from kerasseg.synthetic.synthesizers import SYNTHESIZERS

RUNS = Path("runs")


def _alone(step: Callable[..., None]) -> Callable[..., None]:
    """Let one process at a time change the labelling folder by a step; persons review meanwhile."""

    @wraps(step)
    def alone(recipe: Recipe, *arguments: Any) -> None:
        with locks.held(root(recipe) / ".lock", root(recipe)):
            step(recipe, *arguments)

    return alone


def turn(recipe: Recipe, *, directory: Path = RUNS, resume: bool = False) -> None:
    """Go once through the loop: prepare; learn from what is labelled; propose what comes next.

    Parameters
    ----------
    recipe : Recipe
        With a section `label`.
    directory : Path
        Where runs are kept.
    resume : bool
        Whether to go on with the last run of this recipe.

    Raises
    ------
    UserError
        If the recipe, the slide, the queue or the disk do not allow it.
    """
    crop(recipe)
    embed(recipe)
    cluster(recipe)
    if not queue.read(root(recipe)):
        draw_next(recipe, directory)
    queue.notice(root(recipe))
    if queue.labelled(queue.read(root(recipe))):
        from kerasseg.commands.train import run  # TensorFlow: not before there is something to learn from

        run(recipe, directory=directory, resume=resume)
        draw_next(recipe, directory)
    status(recipe)


def draw_next(recipe: Recipe, directory: Path) -> None:
    """Select another round if nothing waits, propose for what waits, and draw the page."""
    if not queue.waiting(queue.read(root(recipe))):
        select(recipe)
    propose(recipe, directory)
    look(recipe)


@_alone
def crop(recipe: Recipe) -> None:
    """Cut the slide into tiles; draw a slide where there is none, if the recipe allows it."""
    told = label(recipe)
    if not told.slide.exists() and recipe.data.if_missing == "synthesize":
        say(f"{told.slide} is missing: drawing a SYNTHETIC slide there", style="yellow")
        SYNTHESIZERS["slide"](told.slide.parent, seed=recipe.seed)
    found = tiles.crop(
        told.slide,
        root(recipe),
        tile=told.tile,
        margin=told.margin,
        padding=told.padding,
        region=told.region,
        test_region=told.test_region,
        axes=told.axes,
    )
    parts = Counter(tile.part or "neither" for tile in found)
    say(f"{len(found)} tiles of {told.tile} x {told.tile}: " + _listed(parts))


@_alone
def embed(recipe: Recipe) -> None:
    """Give every tile its code."""
    method = label(recipe).embed
    how = {"normalise": preparation.normalisation(recipe), "seed": recipe.seed}
    embed_tiles(root(recipe), method=method.name, **method.arguments, **how)


@_alone
def cluster(recipe: Recipe) -> None:
    """Group tiles that are alike."""
    folder = root(recipe)
    cut = tiles.read_tiles(folder)
    found = clusters.cluster(
        read_codes(folder, cut),
        label(recipe).clusters,
        seed=recipe.seed,
        intensity=np.array([tile.mean for tile in cut]),
    )
    clusters.write(folder, [tile.name for tile in cut], found)
    say(f"tiles in each cluster, darkest first: {', '.join(map(str, np.bincount(found.cluster)))}")


def look(recipe: Recipe) -> None:
    """Draw the page of the clusters."""
    from kerasseg.report import clusters as page

    folder, seed = root(recipe), recipe.seed
    cut = tiles.read_tiles(folder)
    count = len(clusters.read(folder, [tile.name for tile in cut]).sizes())
    apart = clusters.silhouettes(read_codes(folder, cut), [count], seed=seed).get(count)
    say(f"look at {page.write(folder, seed=seed, layout=layout, silhouette=apart)}")


@_alone
def select(recipe: Recipe) -> None:
    """Draw a round of tiles into the queue; at first also those to judge by."""
    folder, told = root(recipe), label(recipe).select
    entries = queue.read(folder)
    number = 1 + max((entry.round for entry in entries), default=0)
    if told.test and not any(entry.part == "test" for entry in entries):
        _draw(recipe, number, "test", "random", told.test)
    _draw(recipe, number, "train", told.policy, told.budget)


def _draw(recipe: Recipe, number: int, part: str, policy: str, budget: int) -> None:
    folder = root(recipe)
    cut = tiles.read_tiles(folder)
    names = [tile.name for tile in cut]
    of = dict(zip(names, clusters.read(folder, names).cluster.tolist(), strict=True))
    queued = {entry.tile for entry in queue.read(folder)}
    candidates = [tile.name for tile in cut if tile.part == part]
    taken = [name for name in candidates if name in queued]
    budget = min(budget, len(candidates) - len(taken))
    codes = dict(zip(names, read_codes(folder, cut), strict=True)) if policy == "different" else None
    how = {"policy": policy, "candidates": candidates, "cluster": of, "codes": codes, "taken": taken}
    drawn = select_tiles(budget, **how, seed=recipe.seed + number)
    queue.add(folder, drawn, part, number)
    say(f"round {number}: drew {budget} tiles to {'judge by' if part == 'test' else 'learn from'} ({policy})")


@_alone
def propose(recipe: Recipe, directory: Path = RUNS) -> None:
    """Draw what waits for a person, by what the recipe names; empty files where nothing can propose yet."""
    folder, how = root(recipe), label(recipe).propose
    names = [entry.tile for entry in queue.waiting(queue.read(folder))]
    if how is not None and how.name == "segment_anything":
        from kerasseg.labelling.segment_anything.kerashub import network
        from kerasseg.labelling.segment_anything.proposals import proposer

        settings = dict(how.arguments)
        asked = network(settings.pop("preset"), normalise=preparation.normalisation(recipe))
        found = proposer(asked, recipe.data.classes[0], **settings)
        propose_tiles(folder, names, found, by=how.name, model=how.preset)
    elif how is not None and (run := rundirectory.last_finished(recipe.name, directory)):
        from kerasseg.segmenter import Segmenter

        proposer = by_model(Segmenter.load(run.path))
        propose_tiles(folder, names, proposer, by="model", model=str(run.path))
    else:
        unproposed(folder, names)


def open_queue(recipe: Recipe) -> None:
    """Open labelme on the queue; what was drawn is noticed when it is closed."""
    open_labelme(root(recipe), recipe.data.classes)
    drawn = queue.notice(root(recipe))
    say(f"{len(drawn)} tiles were drawn or changed")


def review(recipe: Recipe, port: int = 0) -> None:
    """Let a person accept and reject on a page, until Ctrl-C."""
    queue.notice(root(recipe))
    reviewing.serve(root(recipe), port=port)


def draw_sheets(recipe: Recipe) -> None:
    """Draw what waits as contact sheets, to decide at a glance."""
    queue.notice(root(recipe))
    for path in reviewing.sheets(root(recipe)):
        say(str(path))


def curve(recipe: Recipe, directory: Path, truth: Path | None = None, **plan: Any) -> None:
    """Draw how good models are by how many tiles they learnt from; a slide's truth may play the person."""
    from kerasseg.commands.learning_curve.curve import curve as drawn
    from kerasseg.commands.learning_curve.plan import Plan

    say(f"look at {drawn(recipe, Plan(**plan), root=root(recipe), truth=truth, directory=directory)}")


def status(recipe: Recipe) -> None:
    """Say how far the labelling is, and what to do next."""
    entries = queue.read(root(recipe))
    say("queue: " + (_listed(Counter(entry.state for entry in entries)) or "empty"))
    if waiting := len(queue.waiting(entries)):
        say(
            f"{waiting} tiles wait: draw by `kerasseg label open RECIPE`, or decide on what is proposed by "
            "`kerasseg label review RECIPE`; then run the recipe again"
        )


def root(recipe: Recipe) -> Path:
    """Name the labelling folder."""
    label(recipe)
    return recipe.data.source.root


def label(recipe: Recipe) -> Label:
    """Give the section that the loop follows.

    Raises
    ------
    UserError
        If the recipe has none.
    """
    if recipe.label is None:
        raise UserError(
            "label: the recipe has no such section; `kerasseg recipes copy cfos_curate` shows one"
        )
    return recipe.label


def _listed(counts: Counter) -> str:
    return ", ".join(
        f"{count} {name}" for name, count in sorted(counts.items(), key=lambda pair: str(pair[0]))
    )
