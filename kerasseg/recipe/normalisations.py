"""How intensities come into [0, 1]: a section made from each of `images.normalisation.NORMALISATIONS`."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import get_type_hints

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Doc

from kerasseg.errors import UserError
from kerasseg.images.normalisation import NORMALISATIONS, Normalisation
from kerasseg.recipe.section import Component, one_of


def _section(normalisation: type[Normalisation]) -> type[Component]:
    """Make the section whose keys are the fields of a normalisation, with their ranges and sentences."""
    hints = get_type_hints(normalisation, include_extras=True)
    keys = {}
    for field in fields(normalisation):
        sentence = next(note for note in hints[field.name].__metadata__ if isinstance(note, Doc))
        keys[field.name] = hints[field.name], Field(field.default, description=sentence.documentation)

    def check(section: Component) -> Component:
        try:
            normalisation(**section.arguments)
        except UserError as error:
            raise PydanticCustomError("component", "{text}", {"text": str(error)}) from error
        return section

    section = create_model(
        normalisation.__name__,
        __base__=Component,
        __doc__=inspect.getdoc(normalisation).partition("\n\n")[0],
        __module__=__name__,
        __validators__={"check": model_validator(mode="after")(check)},
        **keys,
    )
    section.name = normalisation.name
    section.builder = f"{normalisation.__module__}:{normalisation.__name__}"
    return section


SECTIONS = {name: _section(normalisation) for name, normalisation in NORMALISATIONS.items()}
AnyNormalisation = one_of("normalisation", *SECTIONS.values())
