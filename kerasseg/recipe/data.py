"""What a recipe says of its data: source, classes, intensities, sizes, split, augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from kerasseg.recipe.mistakes import SEVERAL
from kerasseg.recipe.normalisations import SECTIONS, AnyNormalisation
from kerasseg.recipe.section import Positive, Section, Share
from kerasseg.recipe.sources import AnySource, Folder, Source, Volumes

MOST_CLASSES = 254  # a mask is uint8, of which 0 is background and 255 ignored: see `kerasseg.images.masks`


def _two_numbers(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return value
    raise PydanticCustomError("size", "must be [height, width]")


def _sides(value: Any) -> Any:
    """Check all of it: of a union, pydantic would tell what is wrong once for each of its types."""
    sides = [value] * 2 if isinstance(value, int) else value
    if (
        isinstance(sides, list | tuple)
        and len(sides) in (2, 3)
        and all(type(s) is int and s > 0 for s in sides)
    ):
        return value if isinstance(value, int) else tuple(sides)
    text = "must be one number of pixels, or [height, width], or [depth, height, width]"
    raise PydanticCustomError("size", "{text}", {"text": text})


def _one_transform(value: Any) -> Any:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, Mapping) and len(value) == 1:
        return {name: {} if arguments is None else arguments for name, arguments in value.items()}
    text = "must be one name and its arguments, such as {HorizontalFlip: {p: 0.5}}"
    raise PydanticCustomError("transform", "{text}", {"text": text})


def _makeable(transform: dict[str, Any]) -> dict[str, Any]:
    """Let albumentations check what it will be asked for."""
    from kerasseg.data.transforms import mistakes  # albumentations: a second that others should not pay

    found = [(place[1:], text) for place, text in mistakes([transform])]
    if found:
        raise PydanticCustomError(SEVERAL, "{count} mistakes", {"count": len(found), "found": found})
    return transform


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise PydanticCustomError("distinct", "must name each class once")
    return names


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip() or not name:
        raise PydanticCustomError("printable", "must be printable text without spaces around it")
    return name


Intensity = Annotated[int, Field(ge=0, le=65535)]
Percent = Annotated[float, Field(ge=0, le=100)]
Size = Annotated[tuple[Positive, Positive], Field(strict=False), BeforeValidator(_two_numbers)]


class Arguments(TypedDict, total=False):
    """A transform's arguments by name; OneOf and its like hold transforms themselves."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    transforms: list[Transform]
    """What OneOf, SomeOf, RandomOrder and Sequential choose from or go through."""


AsWritten = str | dict[str, Arguments | None]
Transform = Annotated[dict[str, Arguments], BeforeValidator(_one_transform, json_schema_input_type=AsWritten)]
ClassName = Annotated[str, AfterValidator(_printable)]
Classes = Annotated[
    list[ClassName],
    Field(min_length=1, max_length=MOST_CLASSES),
    AfterValidator(_distinct),
]


class Split(Section):
    """How samples are shared out to learn from, to choose by, and to be judged by."""

    train: Share = 0.8
    """Share of the samples to learn from, validation included."""
    test: Share = 0.2
    """Share of the samples that the scores are computed from."""
    validation: Share = 0.1
    """Share of the training samples that only watches."""
    group_by: str | None = None
    """Attribute whose groups are never torn apart: "folder", or a column of the source's table."""
    test_where: dict[str, str] | None = None
    """What the images for the test have, such as {folder: plate3}; null draws them by their share."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-validation, instead of train and test: how many parts, each the test of a run; null is none."""
    fold: Annotated[int, Field(ge=1)] | None = None
    """The part that is the test, from 1; null trains a run for each."""

    @model_validator(mode="after")
    def _check_folds(self) -> Split:
        """Refuse folds that say two things."""
        if self.folds and self.test_where:
            text = "folds and test_where both say which images are the test; leave one out"
            raise PydanticCustomError("folds", "{text}", {"text": text})
        if self.fold and self.fold > (self.folds or 0):
            text = f"fold is {self.fold}, and there are {self.folds or 'no'} folds"
            raise PydanticCustomError("folds", "{text}", {"text": text})
        return self


class Patch(Section):
    """Patches of one size, cut at full resolution."""

    size: Annotated[Positive | tuple[Positive, ...], BeforeValidator(_sides)] = 256
    """Side of a patch in pixels, or its [height, width], of a volume [depth, height, width]."""
    foreground: Share = 0.5
    """Share of the patches that are centred on a foreground pixel."""

    def sides(self, rank: int) -> tuple[int, ...]:
        """Give each side of a patch."""
        return self.size if isinstance(self.size, tuple) else (self.size,) * rank


class Region(Section):
    """The part of the images that is learnt from and judged; the rest is ignored."""

    masks: Folder
    """Folder of a mask for each image, by the sample's name: a.mask.png, of a volume a.mask.ome.tif."""
    id: Annotated[int, Field(ge=0, le=255)] = 1
    """The number of the region in these masks."""


class Match(Section):
    """The histogram that images or volumes are brought to, each by itself, as by `kerasseg data match`."""

    reference: Folder | None = None
    """File or folder of slices whose histogram it is; null is that of all training images together."""
    axes: str | None = None
    """Axes of the reference where its file does not say, such as ZYX."""
    leave_out: list[Intensity] = Field(default=[])
    """Intensities that are not counted and stay as they are, such as [0] of a black frame."""


class Data(Section):
    """Images and annotations to learn from, and what is done to them before the model sees them."""

    source: AnySource
    """Layout of the files, and where they are."""
    if_missing: Literal["error", "synthesize"] = "error"
    """What to do where the source's root does not exist; synthetic data are called synthetic everywhere."""
    unpaired: AnySource | None = None
    """Where the masks of an unpaired training come from; null takes the training samples' own, shuffled."""
    classes: Classes
    """Names of the foreground classes; class k+1 is the k-th."""
    ignore: list[ClassName] = Field(default=[])
    """Names in the annotations that are not to be learnt, such as [debris]; their pixels are ignored."""
    background: list[ClassName] = Field(default=[])
    """Names in the annotations that are background here, such as what another stage of a cascade finds."""
    region: Region | None = None
    """Where there is something to learn; null is everywhere."""
    sees: list[Region] = Field(default=[])
    """What a stage of a cascade sees of others, each a channel more; `kerasseg run` fills this in."""
    multilabel: bool = False
    """Whether a pixel may be of several classes; each class is then decided for itself."""
    channels: Positive | None = 3
    """Channels that the model takes: grey is repeated, RGB made grey; null is as stored."""
    match: Match | None = None
    """Histogram that images are brought to, before their intensities come into [0, 1]; null leaves them."""
    normalise: AnyNormalisation = SECTIONS["dtype"]()
    """How intensities come into [0, 1]: by the type's range, the image's own, or its percentiles."""
    resize: Size | None = None
    """[height, width] that every image is brought to; null keeps its own."""
    patch: Patch | None = None
    """What training cuts out of an image; null takes whole images."""
    allow_empty: bool = False
    """Whether to train although a class has no pixel to learn from, or most pixels are ignored."""
    split: Split = Split()
    """How samples are shared out."""
    augment: list[Annotated[Transform, AfterValidator(_makeable)]] = Field(default=[])
    """Random changes of training images: albumentations' transforms by name, in their order."""

    @property
    def rank(self) -> int:
        """How many axes in space the images have."""
        return _rank(self.source)

    @property
    def sources(self) -> list[Source]:
        """Give all that data come from."""
        return [self.source] if self.unpaired is None else [self.source, self.unpaired]

    @field_validator("unpaired")
    @classmethod
    def _of_one_rank(cls, unpaired: Source | None, info: ValidationInfo) -> Source | None:
        source = info.data.get("source")  # missing where it is wrong itself
        if source and unpaired and _rank(source) != _rank(unpaired):
            raise _refused(
                f"{unpaired.name} and data.source {source.name}: one of them holds volumes; both must"
            )
        return unpaired

    @field_validator("ignore", "background")
    @classmethod
    def _are_no_classes(cls, names: list[str], info: ValidationInfo) -> list[str]:
        for other in ("classes", "ignore"):  # missing where they are wrong, or where this is ignore itself
            if both := [name for name in names if name in info.data.get(other, ())]:
                raise _refused(f"{both[0]} is in data.{other} too; name it in one of them")
        source = info.data.get("source")
        if names and source and source.holds_one_class:
            raise _refused(f"{source.name} tells objects of one class apart, and nothing else; take it out")
        return names

    @field_validator("multilabel")
    @classmethod
    def _sees_classes_that_exclude_each_other(cls, multilabel: bool, info: ValidationInfo) -> bool:
        if multilabel and info.data.get("sees"):
            raise _refused("is true, and a model that sees masks is of classes that exclude each other")
        return multilabel

    @field_validator("resize")
    @classmethod
    def _resized_in_two(cls, resize: Size | None, info: ValidationInfo) -> Size | None:
        if resize and info.data.get("sees"):
            raise _refused("a model that sees masks looks at images at their own size; leave it out")
        if resize and isinstance(info.data.get("source"), Volumes):
            raise _refused("volumes are not resized; remove it, and set data.patch to {size: 64}")
        return resize

    @field_validator("patch")
    @classmethod
    def _sides_of_the_source(cls, patch: Patch | None, info: ValidationInfo) -> Patch | None:
        source = info.data.get("source")
        if source and patch and isinstance(patch.size, tuple) and len(patch.size) != _rank(source):
            sides = "[depth, height, width]" if _rank(source) == 3 else "[height, width]"
            raise _refused(f"size is {list(patch.size)}, and {source.name} needs one number or {sides}")
        return patch


def _rank(source: Source) -> int:
    return 3 if isinstance(source, Volumes) else 2


def _refused(text: str) -> PydanticCustomError:
    return PydanticCustomError("component", "{text}", {"text": text})
