"""A cascade as it is written: recipes of its stages, where each looks, and whose classes come first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from kerasseg.errors import UserError, unknown
from kerasseg.recipe.data import MOST_CLASSES, Region
from kerasseg.recipe.document import Path as Place
from kerasseg.recipe.document import dotted
from kerasseg.recipe.loading import load, validated
from kerasseg.recipe.mistakes import SEVERAL, message
from kerasseg.recipe.recipe import Recipe
from kerasseg.recipe.section import Section

FOLDER = "folder"  # of the cascade's file, in the context of a validation


class StageClass(NamedTuple):
    """A class of a stage, which is written ``STAGE.CLASS``."""

    stage: str
    name: str

    @classmethod
    def parse(cls, text: str) -> StageClass:
        """Take ``STAGE.CLASS`` apart; names of classes may have dots."""
        stage, _, name = text.partition(".")
        return cls(stage, name)

    def __str__(self) -> str:
        return f"{self.stage}.{self.name}"


def _several(found: Sequence[tuple[Place, str]]) -> PydanticCustomError:
    return PydanticCustomError(SEVERAL, "{count} mistakes", {"count": len(found), "found": list(found)})


def _read(value: Any, info: ValidationInfo) -> Any:
    """Read the recipe that a path names; one that stands in place need not have a name."""
    if isinstance(value, str):
        beside = info.context[FOLDER] / value
        try:
            return load(beside if beside.is_file() else value)
        except UserError as error:
            raise _several([((), text) for text in error.messages]) from error
    return {"name": "stage", **value} if isinstance(value, Mapping) else value


class Stage(Section):
    """A network of a cascade."""

    recipe: Annotated[Recipe, BeforeValidator(_read)]
    """The stage's recipe: its file, from the cascade's folder, the name of a shipped one, or its keys."""
    within: str | None = None
    """STAGE.CLASS of another stage: elsewhere nothing is learnt and all is background; null is everywhere."""


class CascadeRecipe(Section):
    """Several networks, and how their masks become one."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Of the cascade's folder: letters, digits, dots, dashes and underscores."""
    stages: Annotated[dict[str, Stage], Field(min_length=1)]
    """The stages by their names: a letter, and letters, digits, dashes and underscores."""
    merge: Annotated[list[str], Field(min_length=1, max_length=MOST_CLASSES)]
    """STAGE.CLASS each: a pixel is of the first class here that its stage gives it."""

    @field_validator("stages")
    @classmethod
    def _stages_fit_together(cls, stages: dict[str, Stage]) -> dict[str, Stage]:
        if found := [*_misnamed(stages), *_unfit(stages), *_wrong_regions(stages)] or [*_circle(stages)]:
            raise _several(found)
        return stages

    @field_validator("merge")
    @classmethod
    def _merged_classes_exist(cls, merge: list[str], info: ValidationInfo) -> list[str]:
        stages = info.data.get("stages")  # missing where they are wrong themselves
        if stages and (found := [*_wrong_merge(merge, stages)]):
            raise _several(found)
        return merge

    @property
    def merged(self) -> tuple[StageClass, ...]:
        """What is merged, the first class first."""
        return tuple(map(StageClass.parse, self.merge))

    @property
    def order(self) -> list[str]:
        """The names of the stages, each after the one that it looks within."""
        return list(TopologicalSorter(_needs(self.stages)).static_order())

    def within(self, stage: str) -> StageClass | None:
        """Tell where a stage looks; None is everywhere."""
        text = self.stages[stage].within
        return text and StageClass.parse(text)

    def class_id(self, of: StageClass) -> int:
        """Give the number of a class in the masks of its stage, from 1 on."""
        return self.stages[of.stage].recipe.data.classes.index(of.name) + 1

    def recipe(self, stage: str, region_masks: Path | None = None) -> Recipe:
        """Give the recipe of a stage's run, whose name is the stage's.

        Parameters
        ----------
        stage : str
        region_masks : Path, optional
            Folder of the masks of the stage that this one looks within.
        """
        recipe = self.stages[stage].recipe.model_copy(update={"name": stage})
        if region_masks is None:
            return recipe
        region = Region(masks=region_masks, id=self.class_id(self.within(stage)))
        return recipe.model_copy(update={"data": recipe.data.model_copy(update={"region": region})})


def load_cascade(path: str | os.PathLike, overrides: Sequence[str] = ()) -> CascadeRecipe:
    """Read a cascade and the recipes of its stages, and validate all of them.

    Parameters
    ----------
    path : path
        Of the cascade's file.
    overrides : sequence of str
        ``key.path=value`` each, such as ``stages.interior.recipe.train.epochs=5``.

    Returns
    -------
    CascadeRecipe

    Raises
    ------
    UserError
        With everything that is wrong, each with its line or its override.
    """
    path = Path(path)
    return validated(CascadeRecipe, path, overrides, _message, {FOLDER: path.parent})


def _message(error: ErrorDetails, whole: type[Section], value: Any) -> str:
    """Say what is wrong with a key of the cascade, or with one of a stage's."""
    stage, inside = error["loc"][:2], error["loc"][2:]
    if inside == ("sees",):
        return (
            f"{dotted(stage)}.sees: no stage can see another's mask as channels; `within` says where it looks"
        )
    if stage[:1] != ("stages",) or not inside:
        return message(error, whole, value)
    return f"{dotted(stage)}.{message({**error, 'loc': inside}, Stage, value['stages'][stage[1]])}"


def _needs(stages: Mapping[str, Stage]) -> dict[str, set[str]]:
    return {
        name: {StageClass.parse(stage.within).stage} if stage.within else set()
        for name, stage in stages.items()
    }


def _misnamed(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for name in stages:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            yield (name,), "a stage's name must be a letter, and letters, digits, dashes and underscores"


def _unfit(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    """Find recipes that cannot be stages."""
    first, *_ = stages
    for name, stage in stages.items():
        data = stage.recipe.data
        if data.multilabel:
            text = (
                "is true, and a pixel of a cascade is of one class; set it to false, or make several stages"
            )
            yield (name, "recipe", "data", "multilabel"), text
        if data.rank != stages[first].recipe.data.rank:
            text = f"is of {_kind(data.rank)}, and {first} is of {_kind(stages[first].recipe.data.rank)}"
            yield (name, "recipe", "data", "source"), text
        if data.region:
            text = "a stage's region is the class that it looks within; name that as `within`"
            yield (name, "recipe", "data", "region"), text
        if stage.recipe.label:
            text = "a stage learns from data that are labelled; label them first by kerasseg run"
            yield (name, "recipe", "label"), text


def _kind(rank: int) -> str:
    return "volumes" if rank == 3 else "images"


def _wrong_regions(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for name, stage in stages.items():
        if stage.within and (text := _unknown(stage.within, stages)):
            yield (name, "within"), text


def _circle(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    try:
        TopologicalSorter(_needs(stages)).prepare()
    except CycleError as error:
        *_, last = circle = error.args[1]
        yield (last, "within"), f"the stages wait for each other in a circle: {' before '.join(circle)}"


def _wrong_merge(merge: Sequence[str], stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for number, text in enumerate(merge):
        if wrong := _unknown(text, stages):
            yield (number,), wrong
        elif text in merge[:number]:
            yield (number,), f"{text} is named twice; keep the place of its priority"
    used = {StageClass.parse(text).stage for text in merge}.union(*_needs(stages).values())
    for name in [name for name in stages if name not in used]:
        text = f"nothing of the stage {name} is merged, and no stage looks within it; name a class, such as "
        yield (), f"{text}{name}.{stages[name].recipe.data.classes[0]}, or leave the stage out"


def _unknown(text: str, stages: Mapping[str, Stage]) -> str | None:
    """Say that there is no such class of a stage, if there is none."""
    stage, name = StageClass.parse(text)
    if stage not in stages:
        return f"{text!r}: {unknown('stage', stage, stages)}"
    classes = stages[stage].recipe.data.classes
    return None if name in classes else f"{text!r}: {unknown(f'class of {stage}', name, classes)}"
