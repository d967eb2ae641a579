"""A recipe, whole: everything that a run is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kerasseg.errors import unknown
from kerasseg.recipe.auto import or_auto
from kerasseg.recipe.data import Data
from kerasseg.recipe.document import write
from kerasseg.recipe.instances import AnyInstances, Boundary, Components, Pairs
from kerasseg.recipe.labelling import Label
from kerasseg.recipe.losses import AnyLoss, Combo
from kerasseg.recipe.models import AnyModel
from kerasseg.recipe.section import Count, Positive, Section
from kerasseg.recipe.train import Train

LARGEST_SEED = 2**32 - 1  # NumPy's and Keras' own limit


class Evaluate(Section):
    """How the scores are computed."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a pixel belongs to a class."""


class Predict(Section):
    """How an image is cut into tiles and put together again."""

    tile: Positive = 256
    """Side of a tile, in pixels."""
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
    """What is written for use without this package."""

    saved_model: bool = True
    """Whether to write a SavedModel."""


class Recipe(Section):
    """Everything that a run is told: data, model, loss, training, objects, evaluation, prediction, export."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Of the run's folder: letters, digits, dots, dashes and underscores."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0
    """Of everything random: split, shuffling, augmentation, weights, dropout."""
    label: Label | None = None
    """How a slide is labelled tile by tile, before anything is learnt; null where data are labelled."""
    data: Data
    """What is learnt from."""
    model: AnyModel
    """What learns."""
    loss: AnyLoss = Combo()
    """What is minimised."""
    train: Train = Train()
    """How weights change."""
    instances: AnyInstances | None = Components()
    """How a mask becomes objects; null is not at all, and objects are not scored."""
    pairs: Pairs | None = None
    """Which nucleus belongs to which Golgi; null does not ask."""
    evaluate: Evaluate = Evaluate()
    """How the scores are computed."""
    predict: Predict = Predict()
    """How whole images are predicted."""
    export: Export = Export()
    """What is written for use elsewhere."""

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
        if not data.exclusive:
            text = "a boundary divides what belongs to no other class, but data.exclusive is false"
            raise PydanticCustomError("component", "{text}; take watershed", {"text": text})
        return instances

    @field_validator("model")
    @classmethod
    def _excluding_as_the_data(cls, model: AnyModel, info: ValidationInfo) -> AnyModel:
        data = info.data.get("data")
        if data and not data.exclusive and model.activation == "softmax":
            text = "activation is softmax, by which classes exclude each other, but data.exclusive is false"
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
        return pairs

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

    def dump(self) -> dict[str, Any]:
        """Give every key with its value in YAML's types, defaults included."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Write every key as YAML that `kerasseg.recipe.load` reads back."""
        return write(self.dump())
