"""A recipe as a whole, and how its masks become objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kerasseg.errors import unknown
from kerasseg.recipe.data import Data
from kerasseg.recipe.document import write
from kerasseg.recipe.key_points import KeyPoints
from kerasseg.recipe.labelling import Label
from kerasseg.recipe.models import AnyModel
from kerasseg.recipe.section import Component, Count, Positive, Rate, Section, Share, one_of, or_auto
from kerasseg.recipe.train import AnyLoss, Combo, Train

LARGEST_SEED = 2**32 - 1  # NumPy's and Keras' own limit
VOLUME_TILES = {"tile": 64, "overlap": 8}

Spacing = Annotated[tuple[Rate, ...], Field(strict=False, min_length=2, max_length=3)]
ClassId = Annotated[int, Field(ge=1, le=254)]


def _number_or_by_class(value: Any) -> Any:
    """Check all of it: of a union, pydantic would tell what is wrong once for each of its types."""
    numbers = value.values() if isinstance(value, Mapping) else [value]
    if all(type(number) is int and number >= 0 for number in numbers):
        return value
    text = "must be a whole number, or one for each of some classes, such as {vesicle: 500}"
    raise PydanticCustomError("component", "{text}", {"text": text})


ByClass = Annotated[Count | dict[str, Count], BeforeValidator(_number_or_by_class)]


class Instances(Component):
    """Keys of every way of numbering objects."""

    def by_ids(self, classes: Sequence[str]) -> dict[str, Any]:
        """Give the keyword arguments for masks of these classes, in which names of classes are ids."""
        return self.arguments


class InOrder(Instances):
    """Keys of the ways that number objects in the order of their first pixels."""

    smallest: Annotated[int, Field(ge=0)] = 0
    """Objects of fewer pixels are dropped."""
    fill: bool = False
    """Whether holes within an object become part of it."""


class Components(InOrder):
    """Pixels of one class that touch are an object."""

    name: ClassVar[str] = "components"
    builder: ClassVar[str] = "kerasseg.postprocess:labels"

    diagonal: bool = False
    """Whether pixels that touch only at a corner are connected."""


class Watershed(InOrder):
    """Objects that touch are cut where they are narrow."""

    name: ClassVar[str] = "watershed"
    builder: ClassVar[str] = "kerasseg.postprocess:watershed"

    distance: Rate = 10.0
    """Centres nearer to each other than this are of one object: about the radius of the smallest objects."""
    spacing: Spacing | None = None
    """Size of a pixel along each axis, where it is not a square or a cube; `distance` is in its units."""


class DeepWatershed(InOrder):
    """Objects that touch are cut by a landscape that the network learns beside the mask."""

    name: ClassVar[str] = "deep_watershed"
    builder: ClassVar[str] = "kerasseg.postprocess:deep_watershed"

    depth: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of its height by which one must come down from an object's centre to reach a higher one."""
    summit: Share = 0.4
    """Height, from 0 to 1, that the landscape reaches somewhere in an object; others are dropped."""
    spacing: Spacing | None = None
    """Size of a pixel along each axis, where it is not a square or a cube."""


class Boundary(InOrder):
    """Objects that touch are told apart by a class of boundaries, and grow into it."""

    name: ClassVar[str] = "boundary"
    builder: ClassVar[str] = "kerasseg.postprocess:boundary"

    boundary_id: ClassId = 2
    """The class of the boundaries: 1 is the first of `data.classes`."""


class BySize(Instances):
    """Pixels of one class that touch are an object; cleaned up by class, and numbered with 1 the largest."""

    name: ClassVar[str] = "by_size"
    builder: ClassVar[str] = "kerasseg.postprocess:by_size"

    connectivity: Literal[4, 8, 6, 18, 26] | None = None
    """How many neighbours a pixel has, 4 or 8, or a voxel, 6, 18 or 26; null is the most."""
    smallest: ByClass = 0
    """Objects of fewer pixels are dropped; one number, or one for each of some classes: {vesicle: 500}."""
    in_planes: bool = False
    """Whether `smallest` is asked of each plane of a volume by itself, before its objects are connected."""
    largest: ByClass | None = None
    """How many objects are kept, the largest, of all classes together or of each of some; null is all."""
    only: list[str] | None = None
    """The classes whose objects are numbered; null is all."""

    @property
    def named(self) -> list[str]:
        """The classes that are named."""
        groups = (self.only, self.smallest, self.largest)
        return [name for group in groups if isinstance(group, list | dict) for name in group]

    def by_ids(self, classes: Sequence[str]) -> dict[str, Any]:
        """See `Instances`."""
        smallest = self.smallest if isinstance(self.smallest, dict) else dict.fromkeys(classes, self.smallest)
        largest = self.largest
        return self.arguments | {
            "smallest": tuple(smallest.get(name, 0) for name in classes),
            "largest": tuple(map(largest.get, classes)) if isinstance(largest, dict) else largest,
            "only": self.only and tuple(classes.index(name) + 1 for name in self.only),
        }


AnyInstances = one_of("kind of instances", Components, Watershed, DeepWatershed, Boundary, BySize)


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


class Evaluate(Section):
    """How the scores are computed."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a pixel belongs to a class."""


class Predict(Section):
    """How an image is cut into tiles and put together again."""

    tile: Positive = 256
    """Side of a tile, in pixels; where neither it nor the overlap is given, 64 of volumes."""
    overlap: or_auto(Count, "0 or a number of pixels") = 32
    """Pixels on each side of a tile that are context; auto is as far as the model sees, where that ends."""
    blend: Literal["crop", "gaussian", "hann", "constant"] = "hann"
    """How they are weighted where they overlap."""
    padding: Literal["inside", "reflect", "edge", "zero"] = "inside"
    """What the model sees beyond the image; inside keeps tiles within it."""
    tta: Literal["none", "flips", "d4"] = "none"
    """Mirrored and turned views of each tile whose answers are averaged (test-time augmentation)."""
    batch_size: Positive = 8
    """The most tiles that are predicted at once."""


class Export(Section):
    """What is written for use without this package, or without TensorFlow."""

    saved_model: bool = True
    """Whether to write a SavedModel."""
    openvino: bool = True
    """Whether to keep what OpenVINO reads, where it is installed: predictions start seconds sooner by it."""


class Recipe(Section):
    """Everything about a run: data, model, loss, training, objects, evaluation, prediction, export."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the run's folder: letters, digits, dots, dashes and underscores."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0
    """Seed of everything random: split, shuffling, augmentation, weights, dropout."""
    label: Label | None = None
    """How a slide is labelled tile by tile, before anything is learnt; null where data are labelled."""
    data: Data
    """Images and annotations to learn from."""
    model: AnyModel
    """Network that learns."""
    key_points: Annotated[KeyPoints | None, Field(validate_default=True)] = None
    """Few pixels that are learnt instead of annotations, and rebuild the image; null learns annotations."""
    loss: AnyLoss = Combo()
    """Loss that training makes small."""
    train: Train = Train()
    """How the model is trained."""
    instances: AnyInstances | None = Components()
    """How a mask becomes objects; null is not at all, and objects are not scored."""
    pairs: Pairs | None = None
    """Which nucleus belongs to which Golgi; null does not ask."""
    evaluate: Evaluate = Evaluate()
    """How the scores are computed."""
    predict: Annotated[Predict, Field(validate_default=True)] = Predict()
    """How whole images are predicted."""
    export: Export = Export()
    """What is written for use without this package, or without TensorFlow."""

    @field_validator("data")
    @classmethod
    def _learnt_from_the_queue(cls, data: Data, info: ValidationInfo) -> Data:
        if info.data.get("label") and data.source.name != "queue":
            text = f"source is {data.source.name}, and label fills a queue: source: {{queue: {{root: ...}}}}"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return data

    @field_validator("instances")
    @classmethod
    def _bounded_by_a_class(cls, instances: AnyInstances | None, info: ValidationInfo) -> AnyInstances | None:
        data = info.data.get("data")  # missing where it is wrong itself
        if not data or not isinstance(instances, Boundary):
            return instances
        if instances.boundary_id > len(data.classes):
            text = f"boundary_id is {instances.boundary_id}, and data.classes has {len(data.classes)}"
            raise PydanticCustomError("component", "{text}", {"text": text})
        if data.multilabel:
            text = "a boundary divides what belongs to no other class, but data.multilabel is true"
            raise PydanticCustomError("component", "{text}; take watershed", {"text": text})
        return instances

    @field_validator("instances")
    @classmethod
    def _of_named_classes(cls, instances: AnyInstances | None, info: ValidationInfo) -> AnyInstances | None:
        data = info.data.get("data")
        if not data or not isinstance(instances, BySize):
            return instances
        text = ""
        if strange := [name for name in instances.named if name not in data.classes]:
            text = unknown("class", strange[0], data.classes)
        elif data.multilabel:
            text = "its classes exclude each other, but data.multilabel is true; take components"
        elif instances.connectivity and (instances.connectivity in (4, 8)) != (data.rank == 2):
            choices = "4 or 8" if data.rank == 2 else "6, 18 or 26"
            text = f"connectivity is {instances.connectivity}, and {data.source.name} needs {choices}"
        if text:
            raise PydanticCustomError("component", "{text}", {"text": text})
        return instances

    @field_validator("instances")
    @classmethod
    def _learnt_by_the_network(
        cls, instances: AnyInstances | None, info: ValidationInfo
    ) -> AnyInstances | None:
        data, model, train = (info.data.get(name) for name in ("data", "model", "train"))
        if isinstance(instances, DeepWatershed) and data and model and train:
            needs = {
                "data.multilabel: false": not data.multilabel,
                "a model with the activation sigmoid": model.activation == "sigmoid",
                "train.engine: supervised": train.engine.name == "supervised",
                "key_points: null": info.data.get("key_points") is None,
            }
            if missing := [need for need, met in needs.items() if not met]:
                text = f"the landscape is one more channel of the network; set {', '.join(missing)}"
                raise PydanticCustomError("component", "{text}, or take watershed", {"text": text})
        return instances

    @field_validator("model")
    @classmethod
    def _excluding_as_the_data(cls, model: AnyModel, info: ValidationInfo) -> AnyModel:
        data = info.data.get("data")
        if data and data.multilabel and model.activation == "softmax":
            text = "activation is softmax, by which classes exclude each other, but data.multilabel is true"
            raise PydanticCustomError("component", "{text}; set it to sigmoid", {"text": text})
        return model

    @field_validator("pairs")
    @classmethod
    def _pairs_of_classes(cls, pairs: Pairs | None, info: ValidationInfo) -> Pairs | None:
        data = info.data.get("data")
        if pairs and data and (strange := [name for name in pairs.names if name not in data.classes]):
            text = unknown("class", strange[0], data.classes)
            raise PydanticCustomError("component", "{text}", {"text": text})
        if pairs and "instances" in info.data and info.data["instances"] is None:
            text = "pairs are pairs of objects, but instances is null; say how a mask becomes objects"
            raise PydanticCustomError("component", "{text}", {"text": text})
        if pairs and isinstance(info.data.get("instances"), DeepWatershed):
            text = "pairs are made of masks alone, but instances is deep_watershed; take watershed"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return pairs

    @field_validator("key_points")
    @classmethod
    def _points_of_grey_images(cls, points: KeyPoints | None, info: ValidationInfo) -> KeyPoints | None:
        data, model = info.data.get("data"), info.data.get("model")  # missing where they are wrong themselves
        if points and data and model:
            needs = {
                "data.channels: 1": data.channels == 1,
                "one class in data.classes": len(data.classes) == 1,
                "a source of 2-D images": data.rank == 2,
                "data.resize: null": data.resize is None,
                "data.sees: []": not data.sees,
                "a model with the activation sigmoid": model.activation == "sigmoid",
            }
            if missing := [need for need, met in needs.items() if not met]:
                text = f"points are chosen in grey images at their own size; set {', '.join(missing)}"
                raise PydanticCustomError("component", "{text}", {"text": text})
        if data and not points and getattr(data.source, "class_from", "") is None:
            text = "whole_images has no annotations; say what is learnt: key_points: {}, or its class_from"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return points

    @field_validator("train")
    @classmethod
    def _guided_by_points(cls, train: Train, info: ValidationInfo) -> Train:
        if train.engine.name == "guided" and info.data.get("key_points", train) is None:
            text = "engine is guided, by the image that key points rebuild; say which: key_points: {}"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return train

    @field_validator("train")
    @classmethod
    def _encoder_has_learnt(cls, train: Train, info: ValidationInfo) -> Train:
        model = info.data.get("model")
        if train.encoder is None or model is None:
            return train
        text = ""
        if train.engine.name == "cycle":
            text = "encoder is of a model that has learnt already, and cycle trains two; set encoder: null"
        elif not train.start_from and not model.is_pretrained:
            text = (
                "encoder is of a model that has learnt already, and here all weights are drawn at random; "
                "set start_from: RUN, an encoder with encoder_weights, or encoder: null"
            )
        if text:
            raise PydanticCustomError("component", "{text}", {"text": text})
        return train

    @field_validator("predict")
    @classmethod
    def _tiles_of_volumes(cls, predict: Predict, info: ValidationInfo) -> Predict:
        """Keep tiles of volumes small where nothing is said: 256 voxels a side take many gigabytes."""
        data = info.data.get("data")
        if data and data.rank == 3 and not {"tile", "overlap"} & predict.model_fields_set:
            return predict.model_copy(update=VOLUME_TILES)
        return predict

    @field_validator("loss", "train")
    @classmethod
    def _a_weight_for_each_class(cls, section: Any, info: ValidationInfo) -> Any:
        component = getattr(section, "engine", section)
        weights = getattr(component, "class_weights", None)
        data, model = info.data.get("data"), info.data.get("model")  # missing where they are wrong themselves
        if weights and data and model:
            channels = len(data.classes) + (model.activation == "softmax")
            if len(weights) != channels:
                text = (
                    f"class_weights has {len(weights)} numbers for {len(data.classes)} classes; expected "
                    f"{channels}, one for each"
                    + " and the background's first"
                    * (channels > len(data.classes))
                )
                raise PydanticCustomError("component", "{text}", {"text": text})
        return section

    @property
    def by_landscape(self) -> bool:
        """Whether the network learns a landscape beside the mask, to tell objects apart."""
        return isinstance(self.instances, DeepWatershed)

    def dump(self) -> dict[str, Any]:
        """Give every key with its value in YAML's types, defaults included."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Write every key as YAML that `kerasseg.recipe.load` reads back."""
        return write(self.dump())
