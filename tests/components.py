"""What a recipe may name, as functions that have its defaults: ``MODELS["unet"](shape, 1, levels=3)``."""

from collections.abc import Mapping
from functools import partial
from typing import get_args

from kerasseg.recipe.models import AnyDiscriminator, AnyModel
from kerasseg.recipe.section import Component
from kerasseg.recipe.sources import AnySource
from kerasseg.recipe.train import AnyLoss, AnyOptimizer


def sections(annotation) -> dict[str, type[Component]]:
    """The components that a key may name, by their names."""
    union = get_args(annotation)[0]
    members = get_args(union) or (annotation,)  # a union of one is that one
    return {get_args(member)[0].name: get_args(member)[0] for member in members}


class Functions(Mapping):
    """Functions by name, each imported when somebody asks for it."""

    def __init__(self, annotation, *, defaults=True):
        self.sections, self.defaults = sections(annotation), defaults

    def __getitem__(self, name):
        section = self.sections[name]
        return partial(section.function(), **section().arguments if self.defaults else {})

    def __iter__(self):
        return iter(self.sections)

    def __len__(self):
        return len(self.sections)


MODELS = Functions(AnyModel)
DISCRIMINATORS = Functions(AnyDiscriminator)
LOSSES = Functions(AnyLoss)
OPTIMIZERS = Functions(AnyOptimizer, defaults=False)  # Keras' own
SOURCES = Functions(AnySource, defaults=False)
