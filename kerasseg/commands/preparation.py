"""What a recipe makes of its data before anything is learnt: samples, split, batches; without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np

from kerasseg.console import track
from kerasseg.data.batches import MULTIPLE_OF, TrainingBatches, UnpairedBatches, ValidationBatches
from kerasseg.data.collect import channels, collect
from kerasseg.data.key_points import with_key_points
from kerasseg.data.region import seeing, within
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split, split
from kerasseg.data.survey import MOST_IGNORED, Contents, survey, total
from kerasseg.errors import Mistakes, UserError, naming
from kerasseg.images import histogram_matching
from kerasseg.images.appearance import Appearance
from kerasseg.images.histogram_matching import Matching
from kerasseg.images.masks import IGNORE
from kerasseg.images.normalisation import Minmax, Normalisation
from kerasseg.images.preprocessing import Preprocessing, channel_converter, with_channels
from kerasseg.images.statistics import bands_of
from kerasseg.images.stores.store import open_store
from kerasseg.metrics.similarity import WINDOW
from kerasseg.recipe import Recipe
from kerasseg.recipe.data import Data
from kerasseg.recipe.sources import Source

ANOTHER = 1  # seed after the recipe's, of masks that are to be independent of the images


def samples(recipe: Recipe) -> list[Sample]:
    """List the recipe's samples, synthetic ones where it allows them, with what is to be learnt of them."""
    data, points = recipe.data, recipe.key_points
    samples = _collected(data, data.source)
    if points:
        preprocessing = Preprocessing(data.channels, normalisation(recipe), data.resize)
        choice = {"target": points.target, "points": points.budget, "kernel": points.kernel.build()}
        samples = [with_key_points(sample, preprocessing, **choice) for sample in samples]
    if data.sees:
        regions = [(region.masks, region.id) for region in data.sees]
        samples = [seeing(sample, regions) for sample in samples]
    return [within(sample, **dict(data.region)) for sample in samples] if data.region else samples


def parts(recipe: Recipe) -> Split:
    """Share the recipe's samples out."""
    return split(samples(recipe), **dict(recipe.data.split), seed=recipe.seed)


def matching(recipe: Recipe, samples: Sequence[Sample]) -> Matching | None:
    """Count the histogram that the recipe's images are brought to; None where they are left as they are.

    Parameters
    ----------
    recipe : Recipe
    samples : sequence of Sample
        Those that are learnt from: where the recipe names no reference, it is that of all of them together,
        without the pixels that they ignore.

    Raises
    ------
    UserError
        With everything that cannot be read or counted.
    """
    match = recipe.data.match
    if match is None:
        return None
    number = recipe.data.channels or channels(samples)
    if match.reference is None:
        counts, dtype = _counted_together(samples, number, match.leave_out)
    else:
        with naming("data.match.reference"), open_store(match.reference, match.axes) as store:
            histogram_matching.check_countable(store.dtype)
            convert, dtype = channel_converter(store, number), store.dtype
            bands = track([*store.bands()], f"{store.path.name}: counting intensities")
            read = (convert(store.read(band)) for band in bands)
            counts = histogram_matching.counts(lambda: read, match.leave_out)
    if not counts.any(axis=1).all():
        raise UserError(f"data.match: without {match.leave_out} and what is ignored no pixel is left")
    return Matching.to(counts, dtype, match.leave_out)


def _counted_together(
    samples: Sequence[Sample], number: int, leave_out: Sequence[int]
) -> tuple[np.ndarray, np.dtype]:
    """Count the intensities of samples, (C, 65536), all of one type, but for what they ignore."""
    mistakes, counts, types = Mistakes(), 0, set()
    for sample in track(samples, "counting intensities"):
        with mistakes.noted(), naming(str(sample.image)):
            convert = _channel_converter(sample, number)
            for part in sample.parts():
                image, ignored = convert(sample.read(part)), sample.annotated(part).mask == IGNORE
                histogram_matching.check_countable(image.dtype)
                if ignored.ndim == image.ndim:  # of classes that do not exclude each other
                    ignored = ignored.any(axis=-1)
                counts = counts + histogram_matching.counts(bands_of(image[~ignored]), leave_out)
                types.add(image.dtype)
    mistakes.check()
    if len(types) > 1:
        raise UserError(
            f"data.match: training images are {' and '.join(sorted(map(str, types)))}, which are not counted "
            "together; name a histogram by data.match.reference"
        )
    return counts, types.pop()


def histograms(samples: Sequence[Sample], match: Matching) -> dict[str, np.ndarray]:
    """Count intensities of all samples before and after they are matched, for a chart: (C, 65536) each."""
    wanted = match.histogram
    before, after = np.zeros_like(wanted), np.zeros_like(wanted)
    for sample in track(samples, "matching intensities"):
        convert, counts = _channel_converter(sample, len(wanted)), np.zeros_like(wanted)
        for part in sample.parts():
            image = convert(sample.read(part))
            counts += histogram_matching.counts(bands_of(image), match.leave_out)
        before += counts
        after += histogram_matching.moved(counts, match.table_of(counts, image.dtype))
    return {"before": before, "after": after, "reference": wanted}


def _channel_converter(sample: Sample, number: int) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that gives a sample, or parts of a large one, so many channels."""
    if sample.is_large:
        return channel_converter(sample.opened(), number)
    return partial(with_channels, n=number)


def surveyed(recipe: Recipe, parts: Split, match: Matching | None) -> dict[str, Contents]:
    """Read every sample once; say what each part holds.

    Raises
    ------
    UserError
        With everything that cannot be read.
    """
    samples = {name: samples for name, samples in parts.parts().items() if samples}
    preprocessing = Preprocessing(recipe.data.channels, normalisation(recipe), recipe.data.resize, match)
    everything = [sample for part in samples.values() for sample in part]
    contents = iter(survey(everything, len(recipe.data.classes), preprocessing))
    held = {name: total(list(islice(contents, len(part)))) for name, part in samples.items()}
    learnt = [held[name] for name in ("train", "validation") if name in held]
    if recipe.by_landscape and any(each.objects is None for each in learnt):
        raise UserError(
            "instances.deep_watershed: a network learns how to tell objects apart where somebody did, and "
            f"the annotations of data.source {recipe.data.source.name} do not; take watershed, which goes by "
            "the mask's shape alone, or annotate each object by itself"
        )
    return held


def problems(recipe: Recipe, contents: Mapping[str, Contents]) -> list[str]:
    """Say what keeps the recipe's network from learning; nothing where masks come from elsewhere."""
    if recipe.data.unpaired is not None:
        return []
    most_ignored = MOST_IGNORED if recipe.data.region is None else 1.0  # outside a region all is ignored
    return contents["train"].problems(recipe.data.classes, f"training {_kind(recipe)}", most_ignored)


def without_truth(recipe: Recipe, contents: Mapping[str, Contents]) -> list[str]:
    """Say what the recipe's test cannot judge."""
    if "test" not in contents:
        return []
    return contents["test"].without_truth(recipe.data.classes, f"test {_kind(recipe)}")


def doubts(recipe: Recipe, parts: Split) -> list[str]:
    """Say what can be done with the images and is hardly meant."""
    data, samples = recipe.data, [*parts.train, *parts.validation, *parts.test]
    sizes = [data.resize or sample.size for sample in samples]
    patch = data.patch.sides(data.rank) if data.patch else (0,) * data.rank
    largest = tuple(map(max, zip(*sizes, strict=True)))
    doubts = []
    if any(wanted > side for wanted, side in zip(patch, largest, strict=True)):
        shown = ["x".join(map(str, sides)) for sides in (patch, largest)]
        doubts.append(
            f"data.patch.size: a patch of {shown[0]} is larger than every one of the {_kind(recipe)} "
            f"({shown[1]} at most), so what lies beyond is mirrored; choose a smaller size"
        )
    stored = {sample.header().channels for sample in samples}
    pretrained = recipe.model.is_pretrained or recipe.train.start_from
    if data.channels and data.channels > max(stored) and not pretrained:
        doubts.append(
            f"data.channels is {data.channels}, but no image has more than {max(stored)}, so grey is "
            f"repeated; only weights of colour images need that: set it to {max(stored)}"
        )
    return doubts


def _kind(recipe: Recipe) -> str:
    return "volumes" if recipe.data.rank == 3 else "images"


def model_channels(recipe: Recipe, parts: Split) -> int:
    """Count the channels that the recipe's model takes, those of the image and those beside it."""
    samples = [*parts.train, *parts.validation, *parts.test]
    return (recipe.data.channels or channels(samples)) + len(recipe.data.sees)


def normalisation(recipe: Recipe) -> Normalisation:
    """Make what brings the recipe's images into [0, 1]."""
    return recipe.data.normalise.build()


def streams(
    recipe: Recipe,
    parts: Split,
    channels: int,
    multiple_of: int | Sequence[int] = MULTIPLE_OF,
    match: Matching | None = None,
) -> tuple[TrainingBatches, ValidationBatches]:
    """Make the batches to learn from and those to watch; their sides suit the model's stride."""
    common = _batching(recipe, channels, multiple_of, match)
    training = TrainingBatches(parts.train, augment=recipe.data.augment, seed=recipe.seed, **common)
    if recipe.key_points:
        _check_key_points(recipe, training.shape)
    return training, ValidationBatches(parts.validation, **common)


def appearance(recipe: Recipe, training: TrainingBatches | UnpairedBatches) -> Appearance:
    """Measure what the recipe's network is shown in training, but for the channels beside the image."""
    of_image = training.channels - len(recipe.data.sees)
    batches = (training.batch(number)[0] for number in count())
    return Appearance.of(patch[..., :of_image] for batch in batches for patch in batch)


def _check_key_points(recipe: Recipe, shape: Sequence[int]) -> None:
    """Refuse more points than there are pixels, and windows of SSIM that no image holds."""
    mistakes, sides = Mistakes(), " x ".join(map(str, shape))
    if recipe.key_points.budget > math.prod(shape):
        mistakes.add(
            f"key_points.points: {recipe.key_points.points} points of images of {sides}, as the network sees "
            f"them; expected at most their {math.prod(shape)} pixels, or a share such as 5%"
        )
    engine = recipe.train.engine
    if engine.name == "guided" and engine.ssim == "windowed" and min(shape) < WINDOW:
        mistakes.add(
            f"train.engine.guided.ssim: windows of {WINDOW} x {WINDOW} pixels do not fit into images of "
            f"{sides}, as the network sees them; choose global, or larger patches"
        )
    mistakes.check()


def unpaired(
    recipe: Recipe,
    parts: Split,
    channels: int,
    multiple_of: int | Sequence[int] = MULTIPLE_OF,
    match: Matching | None = None,
) -> tuple[UnpairedBatches, ValidationBatches]:
    """Make batches of images and of masks that are not theirs, and those to watch."""
    data = recipe.data
    training, validation = streams(recipe, parts, channels, multiple_of, match)
    seed = (recipe.seed + ANOTHER) % 2**32
    if data.unpaired is None:
        return UnpairedBatches(training, training.with_seed(seed)), validation
    # The masks' own images are not looked at; minmax is what any of them can be brought into [0, 1] by.
    common = _batching(recipe, channels, multiple_of, None)
    common["preprocessing"] = Preprocessing(None, Minmax(), data.resize)
    others = _collected(data, data.unpaired, ANOTHER)
    masks = TrainingBatches(others, augment=data.augment, seed=seed, **common)
    return UnpairedBatches(training, masks), validation


def _collected(data: Data, source: Source, seed: int = 0) -> list[Sample]:
    can_be_drawn = data.if_missing == "synthesize" and source.synthesizer
    return collect(
        source.build,
        source.root,
        data.classes,
        ignored=data.ignore,
        background=data.background,
        multilabel=data.multilabel,
        synthesize=partial(source.synthesize, seed) if can_be_drawn else None,
    )


def _batching(
    recipe: Recipe, channels: int, multiple_of: int | Sequence[int], match: Matching | None
) -> dict[str, Any]:
    """Gather what all batches of a recipe have in common."""
    data = recipe.data
    of_image = channels - len(data.sees)
    return {
        "class_ids": range(recipe.model.activation != "softmax", len(data.classes) + 1),
        "preprocessing": Preprocessing(of_image, normalisation(recipe), data.resize, match),
        "patch": data.patch and dict(data.patch),
        "multiple_of": multiple_of,
        "batch_size": recipe.train.batch_size,
        "landscape": recipe.by_landscape,
    }
