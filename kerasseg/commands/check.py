"""Whether a recipe would run, and what the run would take, without TensorFlow: every file is read once."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.data.prepared import BUDGET
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split, audit
from kerasseg.data.stream import Stream
from kerasseg.data.survey import total
from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.labelling import queue
from kerasseg.labelling.entries import Entry
from kerasseg.labelling.sliding_window import SlidingWindow
from kerasseg.recipe import Recipe
from kerasseg.recipe.section import Component

GIB = 1 << 30

PARAMETERS = {
    "efficientnetb0": 6.2e6,
    "efficientnetb1": 8.7e6,
    "efficientnetb2": 10.1e6,
    "efficientnetb3": 13.4e6,
    "efficientnetb4": 21.1e6,
    "efficientnetb5": 33.1e6,
    "efficientnetb6": 46.8e6,
    "efficientnetb7": 72.5e6,
}
"""Of a LinkNet on each encoder, roughly; to build one and count takes TensorFlow and seconds."""
PARAMETERS_OF_64_FILTERS = {
    2: {"linknet": 20e6, "unet": 31e6, "vox2vox": 57e6, "resnet": 11e6},
    3: {"linknet": 60e6, "unet": 94e6, "vox2vox": 226e6, "resnet": 34e6},
}
"""By rank, with base_filters of 64, without an EfficientNet."""

BYTES_PER_PARAMETER = {"memory": 16, "disk": 4 * 7}
"""In memory float32 weights, gradients and Adam's two slots; on disk model, export and two checkpoints."""

BYTES_PER_PIXEL = 2600
"""What a training step keeps of each pixel of a batch, roughly: measured for LinkNet on EfficientNet-B0."""
BYTES_PER_PIXEL_AND_FILTER = {
    2: {"linknet": 97, "unet": 132, "vox2vox": 18, "resnet": 120},
    3: {"linknet": 66, "unet": 92, "vox2vox": 6, "resnet": 58},
}
"""The same by rank, without an EfficientNet, for each of base_filters: every layer's output, added up."""

TENSORFLOW = GIB
"""What TensorFlow takes before it does anything, roughly."""


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
    told = recipe.data
    if recipe.label:
        say(_slide(recipe))
        if not queue.labelled(_queued(told.source.root)):
            say("no tile is labelled yet: a run prepares the labelling, and trains nothing")
            return
    missing = _to_be_made(recipe)
    for root in missing:
        say(f"data: {root} is missing: a run would make SYNTHETIC images there", style="bold yellow")
    if missing:
        return
    parts = preparation.parts(recipe)
    for line in (*_data(parts), *_leaks(parts, told.split.group_by)):
        say(line)
    contents = preparation.surveyed(recipe, parts)
    for line in total(list(contents.values())).lines(told.classes):
        say(line)
    problems = preparation.problems(recipe, contents) + preparation.without_truth(recipe, contents)
    for problem in problems + preparation.doubts(recipe, parts):
        say(f"warning: {problem}", style="yellow")
    for line in _needs(recipe, parts):
        say(line)


def _slide(recipe: Recipe) -> str:
    """Say what the slide would be cut into."""
    told = recipe.label
    if not told.slide.exists() and recipe.data.if_missing == "synthesize":
        return f"slide: {told.slide} is missing: a run would draw a SYNTHETIC one there"
    with open_store(told.slide, told.axes) as store:
        height, width = size = store.shape[:2]
        window = SlidingWindow(size=size, **told.window)
    cut = sum(map(len, window.rows))
    return f"slide: {height} x {width} pixels, cut into {cut} tiles of {told.tile} x {told.tile}"


def _queued(root: Path) -> list[Entry]:
    return queue.read(root) if (root / "tiles.csv").is_file() else []


def _to_be_made(recipe: Recipe) -> list[Path]:
    told = recipe.data
    missing = [source.root for source in told.sources if not source.root.is_dir()]
    return missing if told.if_missing == "synthesize" else []


def _all(parts: Split) -> list[Sample]:
    return [*parts.train, *parts.validation, *parts.test]


def _data(parts: Split) -> list[str]:
    sizes = sorted({sample.size for sample in _all(parts)})
    shown = ", ".join(map(_shown, sizes[:4])) + (", ..." if len(sizes) > 4 else "")
    counts = ", ".join(f"{len(part)} {name}" for name, part in parts.parts().items())
    kind = "volumes" if len(sizes[0]) == 3 else "images"
    return [f"data: {len(_all(parts))} {kind} of {shown}", *_spacing(parts), f"split: {counts}"]


def _shown(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


def _spacing(parts: Split) -> list[str]:
    """Say how large voxels are, where files say so."""
    known = sorted({sample.spacing for sample in _all(parts) if sample.spacing})
    shown = ", ".join(" x ".join(f"{side:.3g}" for side in spacing) for spacing in known[:4])
    return [f"voxels: {shown} micrometres (z, y, x)"] if known else []


def _leaks(parts: Split, group_by: str | None) -> list[str]:
    found = audit(parts, group_by)
    return [f"leak: {text}" for text in found.leaks] + [f"warning: {text}" for text in found.warnings]


def _needs(recipe: Recipe, parts: Split) -> list[str]:
    """Say how many steps a run makes, and the memory and disk that it takes."""
    channels = preparation.model_channels(recipe, parts)
    how = recipe.train
    batches = preparation.unpaired if how.engine.name == "cycle" else preparation.streams
    training, validation = batches(recipe, parts, channels, recipe.model.stride)
    steps = how.steps_per_epoch or len(training)
    memory, disk = _memory(recipe, training, _all(parts)), _disk(recipe, parts)
    _refuse_full_disk(disk)
    return [
        f"steps: {steps} an epoch in batches of {how.batch_size} at {_shown(training.shape)}, "
        f"{len(validation)} of validation; at most {how.epochs} epochs, {how.epochs * steps} steps",
        f"memory: about {memory / GIB:.1f} GiB (an estimate)",
        f"disk: about {disk / GIB:.2f} GiB",
    ]


def _parameters(model: Component, rank: int) -> float:
    if getattr(model, "encoder", "plain") == "plain":
        return PARAMETERS_OF_64_FILTERS[rank][model.name] * (model.base_filters / 64) ** 2
    return PARAMETERS[model.encoder]


def _bytes_per_pixel(model: Component, rank: int) -> float:
    if getattr(model, "encoder", "plain") == "plain":
        return BYTES_PER_PIXEL_AND_FILTER[rank][model.name] * model.base_filters
    return BYTES_PER_PIXEL


def _memory(recipe: Recipe, training: Stream, samples: Sequence[Sample]) -> float:
    sizes = (recipe.data.resize or each.size for each in samples)
    kept = min(BUDGET, sum(map(math.prod, sizes)) * 4)
    networks = 2 if recipe.train.engine.name == "cycle" else 1  # there, and back again
    rank, pixels = recipe.data.rank, recipe.train.batch_size * math.prod(training.shape)
    step = pixels * _bytes_per_pixel(recipe.model, rank)
    weights = _parameters(recipe.model, rank) * BYTES_PER_PARAMETER["memory"]
    return TENSORFLOW + kept + networks * (step + weights)


def _disk(recipe: Recipe, parts: Split) -> float:
    channels = 1 if recipe.data.exclusive else len(recipe.data.classes)
    predictions = sum(math.prod(each.size) for each in parts.test) * channels
    return predictions + _parameters(recipe.model, recipe.data.rank) * BYTES_PER_PARAMETER["disk"]


def _refuse_full_disk(needed: float) -> None:
    free = shutil.disk_usage(Path.cwd()).free
    if free < needed:
        raise UserError(
            f"{Path.cwd()}: {free / GIB:.2f} GiB of disk are free, the run takes about {needed / GIB:.2f}: "
            "make room, or choose another --directory"
        )
