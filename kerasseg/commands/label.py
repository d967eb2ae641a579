"""The story of the labelling loop: from a slide to tiles worth labelling, to a model, and to the next tiles.

Each step reads what the ones before it wrote into the labelling folder, and is done at once where nothing has
changed. `run_round` goes through them as far as it can without a person.
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
from kerasseg.labelling import clustering, embedding, folder, labelme_app, queue
from kerasseg.labelling.edits import sync_edits
from kerasseg.labelling.folder import read_tiles
from kerasseg.labelling.proposals import by_model, propose, unproposed
from kerasseg.labelling.selection import select
from kerasseg.labelling.tiles import crop
from kerasseg.recipe import Recipe
from kerasseg.recipe.labelling import Label
from kerasseg.review import page
from kerasseg.runs import rundirectory
from kerasseg.synthetic import slide

RUNS = Path("runs")


def _one_at_a_time(step: Callable[..., None]) -> Callable[..., None]:
    """Let one process at a time change the labelling folder by a step; persons review meanwhile."""

    @wraps(step)
    def locked(recipe: Recipe, *arguments: Any) -> None:
        with locks.held(root_of(recipe) / folder.LOCK, root_of(recipe)):
            step(recipe, *arguments)

    return locked


def run_round(recipe: Recipe, *, directory: Path = RUNS, resume: bool = False) -> None:
    """Go once through the loop: prepare; learn from what is labelled; propose what comes next.

    Parameters
    ----------
    recipe : Recipe
        With a section `label`.
    directory : Path
        Where runs are kept.
    resume : bool
        Whether to resume the last run of this recipe.

    Raises
    ------
    UserError
        If the recipe, the slide, the queue or the disk do not allow it.
    """
    root = root_of(recipe)
    crop_slide(recipe)
    embed_tiles(recipe)
    cluster_tiles(recipe)
    if not queue.read(root):
        prepare_next_round(recipe, directory)
    sync_edits(root)
    if queue.labelled(queue.read(root)):
        from kerasseg.commands.train import run  # TensorFlow: not before there is something to learn from

        run(recipe, directory=directory, resume=resume)
        prepare_next_round(recipe, directory)
    show_status(recipe)


def prepare_next_round(recipe: Recipe, directory: Path) -> None:
    """Select another round if nothing waits, propose for what waits, and draw the page of the clusters."""
    if not queue.waiting(queue.read(root_of(recipe))):
        select_tiles(recipe)
    propose_shapes(recipe, directory)
    draw_clusters_page(recipe)


@_one_at_a_time
def crop_slide(recipe: Recipe) -> None:
    """Cut the slide into tiles; draw a slide where there is none, if the recipe allows it."""
    label = label_section(recipe)
    if not label.slide.exists() and recipe.data.if_missing == "synthesize":
        say(f"{label.slide} is missing: drawing a SYNTHETIC slide there", style="yellow")
        slide.synthesize(label.slide.parent, seed=recipe.seed)
    tiles = crop(label.slide, root_of(recipe), label.axes, **label.window)
    parts = Counter(tile.part or "neither" for tile in tiles)
    say(f"{len(tiles)} tiles of {label.tile} x {label.tile}: {_listed(parts)}")


@_one_at_a_time
def embed_tiles(recipe: Recipe) -> None:
    """Give every tile its embedding."""
    section = label_section(recipe).embed
    normalise = preparation.normalisation(recipe)
    embedding.embed(
        root_of(recipe), method=section.name, normalise=normalise, seed=recipe.seed, **section.arguments
    )


@_one_at_a_time
def cluster_tiles(recipe: Recipe) -> None:
    """Group tiles that are alike."""
    root = root_of(recipe)
    tiles = read_tiles(root)
    clusters = clustering.cluster(
        embedding.read_embeddings(root, tiles),
        label_section(recipe).clusters,
        seed=recipe.seed,
        intensity=np.array([tile.mean for tile in tiles]),
    )
    clustering.write(root, [tile.name for tile in tiles], clusters)
    say(f"tiles in each cluster, darkest first: {', '.join(map(str, clusters.sizes()))}")


def draw_clusters_page(recipe: Recipe) -> None:
    """Draw the page of the clusters."""
    from kerasseg.report import clusters as clusters_page

    root = root_of(recipe)
    tiles = read_tiles(root)
    count = len(clustering.read(root, [tile.name for tile in tiles]).sizes())
    embeddings = embedding.read_embeddings(root, tiles)
    silhouette = clustering.silhouettes(embeddings, [count], seed=recipe.seed).get(count)
    path = clusters_page.write(root, seed=recipe.seed, layout=clustering.layout, silhouette=silhouette)
    say(f"look at {path}")


@_one_at_a_time
def select_tiles(recipe: Recipe) -> None:
    """Select a round of tiles for the queue; in the first also those to test models on."""
    settings = label_section(recipe).select
    entries = queue.read(root_of(recipe))
    number = 1 + max((entry.round for entry in entries), default=0)
    if settings.test and not any(entry.part == "test" for entry in entries):
        _select_part(recipe, number, "test", "random", settings.test)
    _select_part(recipe, number, "train", settings.policy, settings.budget)


def _select_part(recipe: Recipe, number: int, part: str, policy: str, budget: int) -> None:
    root = root_of(recipe)
    tiles = read_tiles(root)
    names = [tile.name for tile in tiles]
    clusters = clustering.read(root, names).cluster.tolist()
    embeddings = None
    if policy == "farthest_point":
        embeddings = dict(zip(names, embedding.read_embeddings(root, tiles), strict=True))
    queued = {entry.tile for entry in queue.read(root)}
    candidates = [tile.name for tile in tiles if tile.part == part]
    taken = [name for name in candidates if name in queued]
    budget = min(budget, len(candidates) - len(taken))
    selected = select(
        budget,
        policy=policy,
        candidates=candidates,
        cluster=dict(zip(names, clusters, strict=True)),
        embeddings=embeddings,
        taken=taken,
        seed=recipe.seed + number,
    )
    queue.add(root, selected, part, number)
    purpose = "test on" if part == "test" else "learn from"
    say(f"round {number}: selected {budget} tiles to {purpose} ({policy})")


@_one_at_a_time
def propose_shapes(recipe: Recipe, directory: Path = RUNS) -> None:
    """Propose shapes for what waits, by what the recipe names; empty files where nothing can propose yet."""
    root, section = root_of(recipe), label_section(recipe).propose
    names = [entry.tile for entry in queue.waiting(queue.read(root))]
    if section is not None and section.name == "segment_anything":
        from kerasseg.labelling.segment_anything import kerashub
        from kerasseg.labelling.segment_anything.proposals import by_segment_anything

        network = kerashub.load_network(section.preset, preparation.normalisation(recipe))
        proposer = by_segment_anything(network, recipe.data.classes[0], section)
        propose(root, names, proposer, by=section.name, model=section.preset)
    elif section is not None and (run := rundirectory.last_finished(recipe.name, directory)):
        from kerasseg.segmenter import Segmenter

        propose(root, names, by_model(Segmenter.load(run.path)), by="model", model=str(run.path))
    else:
        unproposed(root, names)


def open_labelme(recipe: Recipe) -> None:
    """Open labelme on the queue; what was drawn is noticed when it is closed."""
    data = recipe.data
    labelme_app.open_labelme(root_of(recipe), [*data.classes, *data.ignore, *data.background])
    say(f"{len(sync_edits(root_of(recipe)))} tiles were drawn or changed")


def review_proposals(recipe: Recipe, port: int = 0) -> None:
    """Let a person accept and reject on a page, until Ctrl-C."""
    sync_edits(root_of(recipe))
    page.serve(root_of(recipe), port=port)


def draw_sheets(recipe: Recipe) -> None:
    """Draw what waits as contact sheets, to decide at a glance."""
    sync_edits(root_of(recipe))
    for path in page.draw_sheets(root_of(recipe)):
        say(str(path))


def show_status(recipe: Recipe) -> None:
    """Say how far the labelling is, and what to do next."""
    entries = queue.read(root_of(recipe))
    say("queue: " + (_listed(Counter(entry.state for entry in entries)) or "empty"))
    if waiting := len(queue.waiting(entries)):
        say(
            f"{waiting} tiles wait: draw by `kerasseg label open RECIPE`, or decide on what is proposed by "
            "`kerasseg label review RECIPE`; then run the recipe again"
        )


def root_of(recipe: Recipe) -> Path:
    """Name the labelling folder."""
    label_section(recipe)
    return recipe.data.source.root


def label_section(recipe: Recipe) -> Label:
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
