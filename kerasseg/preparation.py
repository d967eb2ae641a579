"""What a recipe makes of its data before anything is learnt: samples, split, batches; without TensorFlow."""

from __future__ import annotations

from kerasseg.data.collect import channels, collect
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split, split
from kerasseg.data.stream import Fixed, Stream
from kerasseg.images.normalise import NORMALISATIONS, Normalisation
from kerasseg.recipe import Recipe


def samples(recipe: Recipe) -> list[Sample]:
    """List the recipe's samples, synthetic ones where it allows them."""
    told = recipe.data
    return collect(told.source.name, told.source.arguments, told.classes, if_missing=told.if_missing)


def parts(recipe: Recipe) -> Split:
    """Share the recipe's samples out."""
    return split(samples(recipe), **dict(recipe.data.split), seed=recipe.seed)


def model_channels(recipe: Recipe, parts: Split) -> int:
    """Count the channels that the recipe's model takes."""
    return recipe.data.channels or channels([*parts.train, *parts.validation, *parts.test])


def normalisation(recipe: Recipe) -> Normalisation:
    """Make what brings the recipe's images into [0, 1]."""
    told = recipe.data.normalise
    return NORMALISATIONS[told.name](**told.arguments)


def streams(recipe: Recipe, parts: Split, channels: int) -> tuple[Stream, Fixed]:
    """Make the batches to learn from and those to watch."""
    told = recipe.data
    common = {
        "classes": told.classes,
        "channels": channels,
        "normalise": normalisation(recipe),
        "resize": told.resize,
        "patch": told.patch and dict(told.patch),
        "batch_size": recipe.train.batch_size,
        "activation": recipe.model.activation,
    }
    training = Stream(parts.train, augment=told.augment, seed=recipe.seed, **common)
    return training, Fixed(parts.validation, **common)
