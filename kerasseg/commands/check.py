"""Whether a recipe would run, and what the run would take, without TensorFlow: every file is read once.

TensorFlow starts only to see whether a model fits that training is to go on from.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.data.split import Split, audit
from kerasseg.data.survey import Contents, total
from kerasseg.errors import Mistakes, UserError
from kerasseg.images.histogram_matching import Matching
from kerasseg.images.stores.store import open_store
from kerasseg.labelling import queue
from kerasseg.labelling.sliding_window import SlidingWindow
from kerasseg.models import pretrained
from kerasseg.recipe import CascadeRecipe, Recipe
from kerasseg.recipe.cascade import BASELINE
from kerasseg.recipe.data import Split as SplitSection
from kerasseg.startup import start_tensorflow

GIB = 1 << 30


def check(recipe: Recipe) -> None:
    """Validate a recipe's data and print what a run of it takes.

    Parameters
    ----------
    recipe : Recipe
        Valid in itself, as `kerasseg.recipe.load` gives it.

    Raises
    ------
    UserError
        With everything that would keep the run from starting.
    """
    data = recipe.data
    if recipe.label:
        say(_slide(recipe))
        root = data.source.root
        if not ((root / "tiles.csv").is_file() and queue.labelled(queue.read(root))):
            say("no tile is labelled yet: a run prepares the labelling, and trains nothing")
            return
    missing = [source for source in data.sources if not source.root.is_dir()]
    if missing and data.if_missing == "synthesize" and all(source.synthesizer for source in missing):
        for source in missing:
            warning = f"data: {source.root} is missing: a run would make SYNTHETIC images there"
            say(warning, style="bold yellow")
        return
    parts = preparation.parts(recipe)
    for line in _samples(parts, data.split):
        say(line)
    found = audit(parts, data.split.group_by)
    for line in [f"leak: {text}" for text in found.leaks] + [f"warning: {text}" for text in found.warnings]:
        say(line)
    match = preparation.matching(recipe, parts.train)
    contents = preparation.surveyed(recipe, parts, match)
    for line in total(list(contents.values())).lines(data.classes):
        say(line)
    if "encoder_weights" in recipe.model.arguments and not recipe.train.start_from:
        model = recipe.model
        pretrained.check(model.encoder, model.encoder_weights, model.encoder_weights_fallback)
    problems = preparation.problems(recipe, contents) + preparation.without_truth(recipe, contents)
    for problem in problems + preparation.doubts(recipe, parts):
        say(f"warning: {problem}", style="yellow")
    if recipe.train.start_from:
        _begin(recipe, preparation.model_channels(recipe, parts), match, contents["train"])
    for line in _needs(recipe, parts):
        say(line)


def _begin(recipe: Recipe, channels: int, match: Matching | None, learnt_from: Contents) -> None:
    """Try whether the model fits that training is to go on from; no other check builds the network."""
    start_tensorflow()
    from kerasseg.commands import base, build

    base.begin(recipe, build.network(recipe, channels), match, learnt_from)


def check_cascade(cascade: CascadeRecipe) -> None:
    """Check the recipe of every stage, and that of the baseline.

    Raises
    ------
    UserError
        With everything that would keep any of them from starting.
    """
    mistakes = Mistakes()
    for name in [*cascade.order, *[BASELINE] * (cascade.baseline is not None)]:
        say(f"{name}:", style="bold")
        with mistakes.noted():
            check(cascade.recipe(name))
    say(f"merged: {', '.join(cascade.merge)}")
    mistakes.check()


def _slide(recipe: Recipe) -> str:
    """Say what the slide would be cut into."""
    label = recipe.label
    if not label.slide.exists() and recipe.data.if_missing == "synthesize":
        return f"slide: {label.slide} is missing: a run would draw a SYNTHETIC one there"
    with open_store(label.slide, label.axes) as store:
        height, width = size = store.shape[:2]
        window = SlidingWindow(size=size, **label.window)
    count = sum(map(len, window.rows))
    return f"slide: {height} x {width} pixels, cut into {count} tiles of {label.tile} x {label.tile}"


def _samples(parts: Split, folds: SplitSection) -> list[str]:
    """Say how many images there are, how large they and their voxels are, and how they are shared out."""
    samples = [*parts.train, *parts.validation, *parts.test]
    sizes = sorted({sample.size for sample in samples})
    kind = "volumes" if len(sizes[0]) == 3 else "images"
    shown = ", ".join(map(_by, sizes[:4])) + (", ..." if len(sizes) > 4 else "")
    lines = [f"data: {len(samples)} {kind} of {shown}"]
    if spacings := sorted({sample.spacing for sample in samples if sample.spacing}):
        shown = ", ".join(" x ".join(f"{side:.3g}" for side in spacing) for spacing in spacings[:4])
        lines.append(f"voxels: {shown} micrometres (z, y, x)")
    counts = ", ".join(f"{len(part)} {name}" for name, part in parts.parts().items())
    if folds.folds and not folds.fold:
        counts += f" in the first of {folds.folds} folds; a run trains a network for each"
    return [*lines, f"split: {counts}"]


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


def _needs(recipe: Recipe, parts: Split) -> list[str]:
    """Say how many steps a run makes, and what is known of its disk and memory without a network."""
    settings = recipe.train
    batches = preparation.unpaired if settings.engine.name == "cycle" else preparation.streams
    channels = preparation.model_channels(recipe, parts)
    training, validation = batches(recipe, parts, channels, recipe.model.stride)
    steps = settings.steps_per_epoch or len(training)
    masks = sum(math.prod(sample.size) for sample in parts.test)
    masks *= len(recipe.data.classes) if recipe.data.multilabel else 1
    free = shutil.disk_usage(Path.cwd()).free
    if free < masks:
        raise UserError(
            f"{Path.cwd()}: {free / GIB:.2f} GiB of disk are free, and the predicted masks take about "
            f"{masks / GIB:.2f}: make room, or choose another --directory"
        )
    return [
        f"steps: {steps} an epoch in batches of {settings.batch_size} at {_by(training.shape)}, "
        f"{len(validation)} of validation; at most {settings.epochs} epochs, {settings.epochs * steps} steps",
        f"disk: about {masks / GIB:.2f} GiB for the predicted masks, beside the weights",
        "memory: kerasseg inspect builds this recipe's network, and says what a training step takes",
    ]
