"""A cascade as it is written: recipes of its stages, what each sees, and whose classes come first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from kerasseg.errors import UserError, unknown
from kerasseg.recipe.data import MOST_CLASSES, Region
from kerasseg.recipe.document import Path as Place
from kerasseg.recipe.document import dotted
from kerasseg.recipe.loading import holds_stages, load, override, read_document, validated
from kerasseg.recipe.mistakes import SEVERAL, message
from kerasseg.recipe.recipe import Recipe
from kerasseg.recipe.section import Section
from kerasseg.recipe.shipped import find

FOLDER, INSIDE = "folder", "inside"
"""What a validation knows: the file's folder, and overrides of what stands in recipes that it names."""

BASELINE = "baseline"


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
        return _loaded(value, info.context[FOLDER])
    return {"name": "stage", **value} if isinstance(value, Mapping) else value


def _loaded(name: str, folder: Path, overrides: Sequence[str] = (), place: Place = ()) -> Recipe:
    """Read a recipe beside a cascade's file, or a shipped one; mistakes are told at its place."""
    try:
        return load(folder / name if (folder / name).is_file() else name, overrides)
    except UserError as error:
        raise _several([(place, text) for text in error.messages]) from error


AnyRecipe = Annotated[Recipe, BeforeValidator(_read, json_schema_input_type=str | Recipe)]


class Stage(Section):
    """A network of a cascade."""

    recipe: AnyRecipe
    """The stage's recipe: its file, from the cascade's folder, the name of a shipped one, or its keys."""
    within: str | None = None
    """STAGE.CLASS of another stage: elsewhere nothing is learnt and all is background; null is everywhere."""
    sees: list[str] = Field(default=[])
    """STAGE.CLASS each: where the other stage finds that class is a channel of the image more."""

    @property
    def needs(self) -> set[str]:
        """The stages that come before this one."""
        return {StageClass.parse(text).stage for text in [self.within, *self.sees] if text}


class CascadeRecipe(Section):
    """Several networks, and how their masks become one."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the cascade's folder: letters, digits, dots, dashes and underscores."""
    stages: Annotated[dict[str, Stage], Field(min_length=1)]
    """The stages by their names (letters, digits, dashes, underscores), each a Stage."""
    merge: Annotated[list[str], Field(min_length=1, max_length=MOST_CLASSES)]
    """STAGE.CLASS each: a pixel is of the first class here that its stage gives it."""
    baseline: AnyRecipe | None = None
    """One network of all merged classes to compare with, trained too; its recipe as in a stage, or null."""

    @model_validator(mode="before")
    @classmethod
    def _recipes_by_name_are_overridden(cls, value: Any, info: ValidationInfo) -> Any:
        for place, overrides in info.context[INSIDE].items():
            name = _inside(value, place)
            value = override(value, place, _loaded(name, info.context[FOLDER], overrides, place))
        return value

    @field_validator("stages")
    @classmethod
    def _stages_fit_together(cls, stages: dict[str, Stage]) -> dict[str, Stage]:
        if found := [*_misnamed(stages), *_unfit(stages), *_wrong_classes(stages)] or [*_circle(stages)]:
            raise _several(found)
        return stages

    @field_validator("merge")
    @classmethod
    def _merged_classes_exist(cls, merge: list[str], info: ValidationInfo) -> list[str]:
        stages = info.data.get("stages")  # missing where they are wrong themselves
        if stages and (found := [*_wrong_merge(merge, stages)]):
            raise _several(found)
        return merge

    @field_validator("baseline")
    @classmethod
    def _baseline_knows_what_is_merged(cls, baseline: Recipe | None, info: ValidationInfo) -> Recipe | None:
        merge, stages = info.data.get("merge"), info.data.get("stages")
        if baseline and merge and stages:
            classes, rank = baseline.data.classes, next(iter(stages.values())).recipe.data.rank
            found = [*_not_comparable(baseline, rank)]
            names = dict.fromkeys(StageClass.parse(text).name for text in merge)
            found += [
                (("data", "classes"), f"{name} is merged; {unknown('class', name, classes)}")
                for name in names
                if name not in classes
            ]
            if found:
                raise _several(found)
        return baseline

    @property
    def merged(self) -> tuple[StageClass, ...]:
        """What is merged, the first class first."""
        return tuple(map(StageClass.parse, self.merge))

    @property
    def order(self) -> list[str]:
        """The names of the stages, each after those that it sees something of."""
        return list(TopologicalSorter(_needs(self.stages)).static_order())

    def within(self, stage: str) -> StageClass | None:
        """Tell where a stage looks; None is everywhere."""
        text = self.stages[stage].within
        return text and StageClass.parse(text)

    def sees(self, stage: str) -> tuple[StageClass, ...]:
        """Tell which classes of others a stage sees as channels."""
        return tuple(map(StageClass.parse, self.stages[stage].sees))

    def class_id(self, of: StageClass) -> int:
        """Give the number of a class in the masks of its stage, from 1 on."""
        return self.stages[of.stage].recipe.data.classes.index(of.name) + 1

    def recipe(self, name: str, masks: Mapping[str, Path] | None = None) -> Recipe:
        """Give the recipe of a run, whose name is the stage's, or ``baseline``.

        Parameters
        ----------
        name : str
        masks : mapping of str to Path, optional
            The folder of each other stage's masks, where this one sees something of them.
        """
        if name == BASELINE:
            return self.baseline.model_copy(update={"name": name})
        recipe = self.stages[name].recipe.model_copy(update={"name": name})
        if masks is None:
            return recipe

        def region(each: StageClass) -> Region:
            return Region(masks=masks[each.stage], id=self.class_id(each))

        within = self.within(name)
        regions = {"region": within and region(within), "sees": [*map(region, self.sees(name))]}
        return recipe.model_copy(update={"data": recipe.data.model_copy(update=regions)})


def load_any(path: str | os.PathLike, overrides: Sequence[str] = ()) -> Recipe | CascadeRecipe:
    """Read a recipe or a cascade, whichever a file holds: a cascade has `stages`; see `load`."""
    path = find(path)
    return (load_cascade if holds_stages(path) else load)(path, overrides)


def load_cascade(path: str | os.PathLike, overrides: Sequence[str] = ()) -> CascadeRecipe:
    """Read a cascade and the recipes of its stages, and validate all of them.

    Parameters
    ----------
    path : path
        Of the cascade's file, or the name of a shipped one.
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
    path = find(path)
    inside, others = _parted(path, overrides)
    return validated(CascadeRecipe, path, others, _message, {FOLDER: path.parent, INSIDE: inside})


def _parted(path: Path, overrides: Sequence[str]) -> tuple[dict[Place, list[str]], list[str]]:
    """Tell overrides of what stands in recipes that are named by a path, by their places, from all others."""
    value = read_document(path).value
    named = [place for place in _recipe_places(value) if isinstance(_inside(value, place), str)]
    inside: dict[Place, list[str]] = {}
    others = []
    for text in overrides:
        key, equals, new = text.partition("=")
        steps = tuple(key.strip().split("."))
        place = next((place for place in named if steps[: len(place)] == place and steps != place), None)
        if place is None:
            others.append(text)
        else:
            inside.setdefault(place, []).append(f"{'.'.join(steps[len(place) :])}{equals}{new}")
    return inside, others


def _recipe_places(value: Any) -> Iterator[Place]:
    """Say where recipes may stand in what a cascade's file holds, right or wrong."""
    if isinstance(value, Mapping):
        stages = value.get("stages")
        yield from (("stages", name, "recipe") for name in (stages if isinstance(stages, Mapping) else ()))
        yield (BASELINE,)


def _inside(value: Any, place: Place) -> Any:
    """Give what stands at a place; None where there is none."""
    for step in place:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _message(error: ErrorDetails, whole: type[Section], value: Any) -> str:
    """Say what is wrong with a key of the cascade, or with one of a stage's."""
    stage, inside = error["loc"][:2], error["loc"][2:]
    if stage[:1] != ("stages",) or not inside:
        return message(error, whole, value)
    return f"{dotted(stage)}.{message({**error, 'loc': inside}, Stage, value['stages'][stage[1]])}"


def _needs(stages: Mapping[str, Stage]) -> dict[str, set[str]]:
    return {name: stage.needs for name, stage in stages.items()}


def _misnamed(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for name in stages:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or name == BASELINE:
            text = "a stage's name must be a letter, and letters, digits, dashes and underscores"
            yield (name,), f"{text}, and not {BASELINE}"


def _unfit(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    """Find recipes that cannot be stages."""
    first, *_ = stages
    for name, stage in stages.items():
        recipe = stage.recipe
        for place, text in _not_comparable(recipe, stages[first].recipe.data.rank):
            yield (name, "recipe", *place), text
        if recipe.data.region or recipe.data.sees:
            key = "region" if recipe.data.region else "sees"
            text = "what a stage sees of others is named beside its recipe, as `within` and `sees`"
            yield (name, "recipe", "data", key), text
        if stage.sees and recipe.data.resize:
            text = "a stage that sees others' classes looks at images at their own size; leave it out"
            yield (name, "recipe", "data", "resize"), text
        if stage.sees and recipe.train.engine.name == "cycle":
            text = (
                "images and masks of a cycle are not of each other, so there is nothing to see; leave it out"
            )
            yield (name, "sees"), text


def _not_comparable(recipe: Recipe, rank: int) -> Iterator[tuple[Place, str]]:
    """Say what keeps a recipe from being one of several networks with one mask."""
    if recipe.data.multilabel:
        text = "is true, and a pixel of a cascade is of one class; set it to false, or make several stages"
        yield ("data", "multilabel"), text
    if recipe.data.rank != rank:
        yield ("data", "source"), f"is of {_kind(recipe.data.rank)}, and the first stage is of {_kind(rank)}"
    if recipe.label:
        yield ("label",), "a cascade learns from data that are labelled; label them first by kerasseg run"


def _kind(rank: int) -> str:
    return "volumes" if rank == 3 else "images"


def _wrong_classes(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for name, stage in stages.items():
        if stage.within and (text := _unknown(stage.within, stages)):
            yield (name, "within"), text
        for number, class_of_another in enumerate(stage.sees):
            if text := _unknown(class_of_another, stages):
                yield (name, "sees", number), text
            elif class_of_another in stage.sees[:number]:
                yield (name, "sees", number), f"{class_of_another} is named twice; once is enough"


def _circle(stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    try:
        TopologicalSorter(_needs(stages)).prepare()
    except CycleError as error:
        *_, last = circle = error.args[1]
        yield (last,), f"the stages wait for each other in a circle: {' before '.join(circle)}"


def _wrong_merge(merge: Sequence[str], stages: Mapping[str, Stage]) -> Iterator[tuple[Place, str]]:
    for number, text in enumerate(merge):
        if wrong := _unknown(text, stages):
            yield (number,), wrong
        elif text in merge[:number]:
            yield (number,), f"{text} is named twice; keep the place of its priority"
    used = {StageClass.parse(text).stage for text in merge}.union(*_needs(stages).values())
    for name in [name for name in stages if name not in used]:
        text = (
            f"nothing of the stage {name} is merged, and no stage sees anything of it; name a class, such as "
        )
        yield (), f"{text}{name}.{stages[name].recipe.data.classes[0]}, or leave the stage out"


def _unknown(text: str, stages: Mapping[str, Stage]) -> str | None:
    """Say that there is no such class of a stage, if there is none."""
    stage, name = StageClass.parse(text)
    if stage not in stages:
        return f"{text!r}: {unknown('stage', stage, stages)}"
    classes = stages[stage].recipe.data.classes
    return None if name in classes else f"{text!r}: {unknown(f'class of {stage}', name, classes)}"
