"""All that one must know to use a network: what it takes, what it gives, and how that becomes a result.

A local prediction takes it from the run's recipe. An export carries it, so that a server's answers become the
same results with no run directory at hand.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kerasseg.images.normalisation import NORMALISATIONS, Normalisation
from kerasseg.postprocess import INSTANCES


@dataclass(frozen=True)
class Objects:
    """How a mask becomes labels: an entry of `kerasseg.postprocess.INSTANCES`, and its keyword arguments."""

    method: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles and put together again: see `kerasseg.recipe.recipe.Predict`."""

    tile: int = 256
    overlap: int | str = 32
    blend: str = "hann"
    padding: str = "inside"
    symmetries: str = "none"


@dataclass(frozen=True)
class Metadata:
    """What a model takes, what it gives, and which model it is.

    Attributes
    ----------
    classes : tuple of str
        Names of the foreground classes.
    channels : int
        Channels that the model takes.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the model looks at an image; None is the image's own.
    activation : {"sigmoid", "softmax"}
        Of the model's head.
    threshold : float
        From which probability on a pixel belongs to a class.
    stride : tuple of int
        What the sizes of tiles are multiples of, so that none is padded: a number for each axis in space.
    exclusive : bool
        Whether a pixel is of one class at most; otherwise each class is decided by the threshold alone.
    radius : tuple of int or None
        How many pixels far the model sees along each axis; None is without bound.
    objects : Objects
        How a mask becomes labels.
    tiling : Tiling
        How large images are asked about.
    weights : str
        SHA-256 of the weights: two models that answer differently have two.
    """

    classes: tuple[str, ...]
    channels: int
    normalise: Normalisation
    resize: tuple[int, int] | None
    activation: str
    threshold: float
    stride: tuple[int, ...]
    exclusive: bool = True
    radius: tuple[int, ...] | None = None
    objects: Objects = Objects("components", {})
    tiling: Tiling = Tiling()
    weights: str = ""

    @property
    def outputs(self) -> int:
        """K, the probabilities of a pixel."""
        return len(self.classes) + (self.activation == "softmax")

    @property
    def rank(self) -> int:
        """Axes in space: 2 of images, 3 of volumes."""
        return len(self.stride)

    def to_json(self) -> str:
        """Write it as the signature `metadata` gives it."""
        normalise = {self.normalise.name: asdict(self.normalise)}
        objects = {self.objects.method: self.objects.arguments}
        return json.dumps(asdict(self) | {"normalise": normalise, "objects": objects}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Read it back; what a newer kerasseg may add is left out.

        Raises
        ------
        ValueError
            If it is no JSON, says too little, or names what is not known here.
        """
        given = json.loads(text)
        try:
            values = {field.name: given[field.name] for field in fields(cls)}
            tiling = {field.name: values["tiling"][field.name] for field in fields(Tiling)}
        except (TypeError, KeyError) as error:
            raise ValueError(f"{error} is missing") from error
        values["normalise"] = _normalisation(values["normalise"])
        values["objects"] = _objects(values["objects"])
        for name in ("classes", "resize", "stride", "radius"):
            values[name] = values[name] and tuple(values[name])
        return cls(**values | {"tiling": Tiling(**tiling)})


def _normalisation(given: Mapping[str, Mapping[str, Any]]) -> Normalisation:
    """Read ``{"percentile": {"low": 5, "high": 98}}``."""
    try:
        ((name, arguments),) = given.items()
        return NORMALISATIONS[name](**arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the normalisation {given} is not known to this version") from error


def _objects(given: Mapping[str, Mapping[str, Any]]) -> Objects:
    """Read ``{"watershed": {"distance": 10.0}}``."""
    try:
        ((method, arguments),) = given.items()
        inspect.signature(INSTANCES[method]).bind(None, **arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the way {given} from a mask to objects is not known to this version") from error
    return Objects(
        method, {name: tuple(of) if isinstance(of, list) else of for name, of in arguments.items()}
    )
