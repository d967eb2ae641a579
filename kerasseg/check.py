"""Whether a recipe would run, and what the run would take: without TensorFlow, without reading a pixel."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from kerasseg import preparation
from kerasseg.console import say
from kerasseg.data.prepared import BUDGET
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split, audit
from kerasseg.data.stream import Stream
from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.labelling.queue import queue
from kerasseg.labelling.queue.queue import Entry
from kerasseg.labelling.sliding import SlidingWindow
from kerasseg.recipe import Recipe

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
PARAMETERS_OF_64_FILTERS = {"linknet": 31e6, "unet": 31e6, "vox2vox": 57e6, "resnet": 11e6}
"""In 2-D, with base_filters of 64, without an EfficientNet."""

BYTES_PER_PARAMETER = {"memory": 16, "disk": 4 * 7}
"""In memory float32 weights, gradients and Adam's two slots; on disk model, export and two checkpoints."""

BYTES_PER_PIXEL = {2: 2600, 3: 5000}
"""What a training step keeps of each pixel of a batch, by rank, roughly: measured for LinkNet on
EfficientNet-B0; for volumes the maps of a 3-D U-Net of 32 filters (Cicek et al. 2016), added up."""

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
    for line in (*_data(parts), *_leaks(parts, told.split.group_by), *_needs(recipe, parts)):
        say(line)


def _slide(recipe: Recipe) -> str:
    """Say what the slide would be cut into."""
    told = recipe.label
    if not told.slide.exists() and recipe.data.if_missing == "synthesize":
        return f"slide: {told.slide} is missing: a run would draw a SYNTHETIC one there"
    with open_store(told.slide, told.axes) as store:
        height, width = size = store.shape[:2]
        window = SlidingWindow(size, told.tile, told.margin, told.padding, told.region, told.test_region)
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
        f"memory: about {memory / GIB:.1f} GiB (an estimate from {_estimated_from(training)})",
        f"disk: about {disk / GIB:.2f} GiB",
    ]


def _estimated_from(training: Stream) -> str:
    return "LinkNet on EfficientNet-B0" if len(training.shape) == 2 else "a 3-D U-Net of 32 filters"


def _parameters(recipe: Recipe) -> float:
    model = recipe.model
    if getattr(model, "encoder", "plain") in PARAMETERS:
        return PARAMETERS[model.encoder]
    return PARAMETERS_OF_64_FILTERS[model.name] * (model.base_filters / 64) ** 2


def _memory(recipe: Recipe, training: Stream, samples: Sequence[Sample]) -> float:
    sizes = (recipe.data.resize or each.size for each in samples)
    kept = min(BUDGET, sum(map(math.prod, sizes)) * 4)
    step = recipe.train.batch_size * math.prod(training.shape) * BYTES_PER_PIXEL[len(training.shape)]
    return TENSORFLOW + kept + step + _parameters(recipe) * BYTES_PER_PARAMETER["memory"]


def _disk(recipe: Recipe, parts: Split) -> float:
    channels = 1 if recipe.data.exclusive else len(recipe.data.classes)
    predictions = sum(math.prod(each.size) for each in parts.test) * channels
    return predictions + _parameters(recipe) * BYTES_PER_PARAMETER["disk"]


def _refuse_full_disk(needed: float) -> None:
    free = shutil.disk_usage(Path.cwd()).free
    if free < needed:
        raise UserError(
            f"{Path.cwd()}: {free / GIB:.2f} GiB of disk are free, the run takes about {needed / GIB:.2f}: "
            "make room, or choose another --directory"
        )
