"""How a mask becomes objects: a section for every entry of `kerasseg.postprocess.INSTANCES`; their pairs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kerasseg.recipe.section import Component, Rate, Section, one_of

Spacing = Annotated[tuple[Rate, ...], Field(strict=False, min_length=2, max_length=3)]
ClassId = Annotated[int, Field(ge=1, le=254)]


class Instances(Component):
    """What every way of numbering objects can be told."""

    smallest: Annotated[int, Field(ge=0)] = 0
    """Objects of fewer pixels are dropped."""
    fill: bool = False
    """Whether holes within an object become part of it."""


class Components(Instances):
    """Pixels of one class that touch are an object."""

    name: ClassVar[str] = "components"
    builder: ClassVar[str] = "kerasseg.postprocess:labels"

    diagonal: bool = False
    """Whether pixels that touch only at a corner are connected."""


class Watershed(Instances):
    """Objects that touch are cut where they are narrow."""

    name: ClassVar[str] = "watershed"
    builder: ClassVar[str] = "kerasseg.postprocess:watershed"

    distance: Rate = 10.0
    """Centres nearer to each other than this are of one object: about the radius of the smallest objects."""
    spacing: Spacing | None = None
    """Size of a pixel along each axis, where it is not a square or a cube; `distance` is in its units."""


class Boundary(Instances):
    """Objects that touch are told apart by a class of boundaries, and grow into it."""

    name: ClassVar[str] = "boundary"
    builder: ClassVar[str] = "kerasseg.postprocess:boundary"

    boundary_id: ClassId = 2
    """The class of the boundaries: 1 is the first of `data.classes`."""


AnyInstances = one_of("kind of instances", Components, Watershed, Boundary)


class Pairs(Section):
    """Which nucleus belongs to which Golgi: see `kerasseg.postprocess.pairs`."""

    nuclei: str = "nuclei"
    """The class of the nuclei, one of `data.classes`."""
    golgi: str = "golgi"
    """The class of the Golgi."""
    pair: str | None = None
    """The class whose components hold a nucleus and its Golgi; null joins the nearest."""
    farthest: Rate = 15.0
    """Centres of a pair are no farther from each other than this, in micrometres."""

    @property
    def names(self) -> list[str]:
        """The classes that are named."""
        return [name for name in (self.nuclei, self.golgi, self.pair) if name is not None]
