"""How intensities come into [0, 1]: a section for every entry of `images.normalise.NORMALISATIONS`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from kerasseg.recipe.section import Component, one_of

Percent = Annotated[float, Field(ge=0, le=100)]


class Dtype(Component):
    """The ends of the type's range become 0 and 1; floats lie in [0, 1] already."""

    name: ClassVar[str] = "dtype"
    builder: ClassVar[str] = "kerasseg.images.normalise:Dtype"


class Minmax(Component):
    """Each channel's smallest and largest value become 0 and 1."""

    name: ClassVar[str] = "minmax"
    builder: ClassVar[str] = "kerasseg.images.normalise:Minmax"


class Percentile(Component):
    """Two percentiles of each channel become 0 and 1, and what lies beyond them is clipped."""

    name: ClassVar[str] = "percentile"
    builder: ClassVar[str] = "kerasseg.images.normalise:Percentile"

    low: Percent = 1.0
    """Per cent of a channel's values that become 0; 5 for the contrast stretch of the Golgi recipes."""
    high: Percent = 99.8
    """Per cent of a channel's values below what becomes 1; 98 for that contrast stretch."""

    @model_validator(mode="after")
    def _in_order(self) -> Percentile:
        if self.low >= self.high:
            text = f"low is {self.low:g} and high is {self.high:g}; low must be less than high"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return self


AnyNormalisation = one_of("normalisation", Dtype, Minmax, Percentile)
