"""All that one must know to use a trained network: what it takes, what it gives, how that becomes a result.

A run writes it as ``spec.json`` beside its ``model.keras``, and an export carries it, so that a server's
answers become the same results with no run's folder at hand.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseg.errors import UserError, naming
from kerasseg.images import masks
from kerasseg.images.appearance import Appearance
from kerasseg.images.calibration import PixelSize
from kerasseg.images.histogram_matching import Matching
from kerasseg.images.normalisation import NORMALISATIONS, Normalisation
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.postprocess import INSTANCES, streaming
from kerasseg.postprocess.splitting import as_heights

if TYPE_CHECKING:
    from collections.abc import Callable

    from kerasseg.images.stores.store import Region, Store

ACTIVATIONS = ("sigmoid", "softmax")
NOT_SAID_BY_OLDER = {"beside": 0, "scale": 1.0} | dict.fromkeys(
    ("match", "diameter", "pixel_size", "appearance")
)
LARGEST_SCALE = 20.0  # at which an image is looked at; the smallest is as many times smaller
SAME_SCALE = 0.1  # by which scales may differ that are taken for one: networks learn at more than that
LENGTHS, AREAS = ("distance",), ("smallest",)  # arguments of `INSTANCES` that are so many pixels


@dataclass(frozen=True)
class Objects:
    """How a mask becomes labels: an entry of `kerasseg.postprocess.INSTANCES`, and its keyword arguments."""

    method: str
    arguments: Mapping[str, Any]

    @property
    def by_landscape(self) -> bool:
        """Whether objects are told apart by a landscape, which the network gives beside the mask."""
        return self.method == "deep_watershed"

    def at(self, scale: float) -> Objects:
        """Give what this is for a mask of an image that is so many times as large, in pixels."""
        lengths = {name: self.arguments[name] * scale for name in LENGTHS if name in self.arguments}
        areas = {name: _times(self.arguments[name], scale**2) for name in AREAS if name in self.arguments}
        return Objects(self.method, {**self.arguments, **lengths, **areas})

    def label(self, mask: np.ndarray, landscape: np.ndarray | None = None) -> np.ndarray:
        """Number the objects of a mask of exclusive classes: (...) uint8 to (...) int32."""
        beside = (landscape,) if self.by_landscape else ()
        return INSTANCES[self.method](mask, *beside, **self.arguments)

    def label_bands(self, bands: Iterable[np.ndarray], into: Any, landscape: Any = None) -> int:
        """Number the objects of a mask that arrives in bands: see `kerasseg.postprocess.streaming`."""
        beside = (landscape,) if self.by_landscape else ()
        return streaming.STREAMED[self.method](bands, into, *beside, **self.arguments)


@dataclass(frozen=True)
class TilingSettings:
    """How an image is cut into tiles and put together again.

    Attributes
    ----------
    tile : int or tuple of int
        Size of a tile, for all axes or for each; rounded up to the model's stride, no larger than the image.
    overlap : int, tuple of int or "auto"
        Pixels **on each side** of a tile that are context; auto is as far as the model sees.
    blend : {"crop", "constant", "gaussian", "hann"}
        How tiles share the pixels in which they overlap: see `kerasseg.inference.blending`.
    padding : {"inside", "reflect", "edge", "zero"}
        What the model sees beyond the image: see `kerasseg.images.padding`.
    tta : {"none", "flips", "d4"}
        The views of a tile that are averaged (test-time augmentation): see `kerasseg.inference.tta`.
    batch_size : int
        The most tiles in a batch.
    """

    tile: int | tuple[int, ...]
    overlap: int | tuple[int, ...] | str
    blend: str
    padding: str
    tta: str
    batch_size: int


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes, what it gives, and which model it is.

    Attributes
    ----------
    classes : tuple of str
        Names of the foreground classes.
    multilabel : bool
        Whether a pixel may be of several classes; each is then decided by the threshold alone.
    activation : {"sigmoid", "softmax"}
        What the network's head ends with.
    threshold : float
        Probability from which a pixel belongs to a class.
    channels : int
        Channels that the network takes.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the network looks at an image; None is the image's own size.
    stride : tuple of int
        What the sides of a tile are multiples of, one number for each axis in space.
    receptive_radius : tuple of int or None
        How many pixels far the network sees along each axis; None is without bound.
    objects : Objects
        How a mask becomes labels.
    tiling : TilingSettings
        How large images are cut into tiles.
    weights : str
        SHA-256 of the weights, by which two models are told apart.
    beside : int
        Further channels that the network takes, after those of the image: classes that other stages of a
        cascade find, 0 or 1.
    match : Matching or None
        The histogram that each image or volume is brought to, before its intensities come into [0, 1].
    scale : float
        How many times as large as it is the network sees an image of which nothing else is known.
    diameter : float or None
        The median diameter of the objects that it learnt from, as large as it saw them: of circles of their
        area, in pixels. None of volumes, of images that had been resized, and where objects were not told
        apart.
    pixel_size : float or None
        The median size of a pixel that it learnt from, in micrometres; None as before, and where no file
        says it.
    appearance : Appearance or None
        What the images that it learnt from look like to it; None where nobody measured that.
    """

    classes: tuple[str, ...]
    multilabel: bool
    activation: str
    threshold: float
    channels: int
    normalise: Normalisation
    resize: tuple[int, int] | None
    stride: tuple[int, ...]
    receptive_radius: tuple[int, ...] | None
    objects: Objects
    tiling: TilingSettings
    weights: str
    beside: int = 0
    match: Matching | None = None
    scale: float = 1.0
    diameter: float | None = None
    pixel_size: float | None = None
    appearance: Appearance | None = None

    kinds: ClassVar = ("mask", "labels", "probabilities")
    """What can be made of its answers."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UserError(f"threshold is {self.threshold}; expected a probability, above 0 and below 1")

    @property
    def outputs(self) -> int:
        """Count what the network gives for a pixel: see `output_names`."""
        return len(self.output_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Name what the network gives for a pixel: a probability for each class, of a softmax one for the
        background before them; and the height of the landscape behind them, where objects need one.
        """
        background = ("background",) if self.activation == "softmax" else ()
        return (*background, *self.classes, *(("landscape",) if self.objects.by_landscape else ()))

    @property
    def rank(self) -> int:
        """Axes in space: 2 of images, 3 of volumes."""
        return len(self.stride)

    @property
    def takes_floats(self) -> bool:
        """Whether images may be of floats: these have no histogram that could be matched."""
        return self.match is None

    @property
    def preprocessing(self) -> Preprocessing:
        """What an image goes through before the network sees it."""
        return Preprocessing(self.channels, self.normalise, self.resize, self.match)

    def prepare(self, image: np.ndarray, name: str) -> np.ndarray:
        """Bring an image as stored, (..., C), to what the network takes: float32 in [0, 1].

        `name` is the file, for messages.
        """
        with naming(name):
            pixels = self.preprocessing.image(image)
        return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels

    def region_reader(self, store: Store) -> Callable[[Region], np.ndarray]:
        """Make the function that reads regions of an open image as the network takes them, not resized."""
        return self.preprocessing.regions(store)

    def foreground(self, probabilities: np.ndarray) -> np.ndarray:
        """Leave out the background's probability, and the landscape: one for each class is left, (..., K)."""
        first = self.activation == "softmax"
        return probabilities[..., first : first + len(self.classes)]

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Turn what the network gives into class ids (...); with `multilabel` into (..., K) of 0 and 1."""
        if self.multilabel:
            return masks.decide_each(probabilities, self.threshold)
        if self.activation == "softmax":
            return masks.decide(probabilities, None)
        return masks.decide(self.foreground(probabilities), self.threshold)

    def landscape(self, probabilities: np.ndarray) -> np.ndarray | None:
        """Take the landscape from what the network gives, (...) uint8; None where objects need none."""
        return as_heights(probabilities[..., -1]) if self.objects.by_landscape else None

    def label(self, mask: np.ndarray, landscape: np.ndarray | None = None) -> np.ndarray:
        """Number the objects of a mask: int32 of its shape, with `multilabel` class by class.

        `landscape` is what the method of that name gives for the same pixels.
        """
        if not self.multilabel:
            return self.objects.label(mask, landscape)
        return np.stack([self.objects.label(mask[..., k]) for k in range(mask.shape[-1])], axis=-1)

    def scale_of(self, diameter: float | None, pixel_size: PixelSize) -> float:
        """Tell how many times as large as it is the network should see an image.

        Parameters
        ----------
        diameter : float or None
            Of the objects in the image, in pixels; None where nobody says.
        pixel_size : tuple of float or None
            Micrometres along each axis; None, or no axis, where that is not known.

        Returns
        -------
        float
            The model's own, where they do not say or it is all but that.

        Raises
        ------
        UserError
            If a diameter is given, and makes no sense or the model knows none.
        """
        if diameter is not None:
            self._check_diameter(diameter)
            scale = self.diameter / diameter
        elif self.pixel_size is not None and pixel_size and None not in pixel_size:
            scale = math.prod(pixel_size) ** (1 / len(pixel_size)) / self.pixel_size
        else:
            return self.scale
        if not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE:
            raise UserError(self._beyond(scale, diameter))
        return self.scale if abs(math.log(scale / self.scale)) < math.log1p(SAME_SCALE) else scale

    def _beyond(self, scale: float, diameter: float | None) -> str:
        """Say that a scale is out of range, by what it follows from."""
        given = f"the image would be looked at at {scale:.3g} times its size"
        if diameter is None:
            return (
                f"{given}; expected at most {LARGEST_SCALE:g} and at least {1 / LARGEST_SCALE:g}: see the "
                "size of its pixels, or say how large its objects are by --diameter, in pixels"
            )
        least, most = self.diameter / LARGEST_SCALE, self.diameter * LARGEST_SCALE
        return (
            f"diameter {diameter:g}: {given}; expected {least:.3g} to {most:.3g} pixels, as the model learnt "
            f"from objects of {self.diameter:.3g}"
        )

    def seen_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Give the size at which the network sees an image of a size, in pixels."""
        return self.resize or tuple(max(1, round(side * self.scale)) for side in size)

    def _check_diameter(self, diameter: float) -> None:
        if not 0 < diameter < math.inf:
            raise UserError(f"the diameter is {diameter}; expected pixels, above 0")
        if self.resize is not None:
            raise UserError(
                f"diameter {diameter:g}: this model looks at all images in one size, {self.resize[0]} x "
                f"{self.resize[1]}; leave the diameter out, or train one without data.resize"
            )
        if self.diameter is None:
            raise UserError(
                f"diameter {diameter:g}: this model does not know the diameter of what it learnt from; leave "
                "it out, or train it again on 2-D images whose objects are told apart"
            )

    def check_rank(self, axes: str, name: str) -> None:
        """Refuse an image of other axes in space than the network's.

        Raises
        ------
        UserError
            If a volume is given to a model of images, or an image to one of volumes.
        """
        if len(axes.removesuffix("C")) != self.rank:
            wanted = "a volume" if self.rank == 3 else "a 2-D image"
            raise UserError(
                f"{name}: it has the axes {axes}, and the model takes {wanted}; if the file names them "
                "wrongly, give them with --axes"
            )

    def to_json(self) -> str:
        """Write everything down."""
        normalise = {self.normalise.name: asdict(self.normalise)}
        objects = {self.objects.method: self.objects.arguments}
        match = self.match and self.match.to_json()
        values = asdict(replace(self, match=None)) | {
            "normalise": normalise,
            "objects": objects,
            "match": match,
        }
        return json.dumps(values, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read it back; what a newer kerasseg may add is left out.

        Raises
        ------
        ValueError
            If it is not JSON, says too little, or names what is not known here.
        UserError
            If a number lies out of its range.
        """
        try:
            given = {**NOT_SAID_BY_OLDER, **json.loads(text)}
            values = {field.name: given[field.name] for field in fields(cls)}
            tiling = {field.name: values["tiling"][field.name] for field in fields(TilingSettings)}
            for name in ("classes", "resize", "stride", "receptive_radius"):
                values[name] = values[name] and tuple(values[name])
            values["normalise"] = _normalisation(values["normalise"])
            values["objects"] = _objects(values["objects"])
            values["match"] = values["match"] and Matching.from_json(values["match"])
            values["appearance"] = values["appearance"] and Appearance.from_json(values["appearance"])
            return cls(**values | {"tiling": TilingSettings(**tiling)})
        except KeyError as error:
            raise ValueError(f"{error} is missing") from error
        except TypeError as error:
            raise ValueError(f"a value is of another type: {error}") from error


@dataclass(frozen=True)
class MergedSpec:
    """What becomes of a cascade's answers: which entry of the merge each pixel is of, 0 for none.

    Attributes
    ----------
    classes : tuple of str
        Names of the merged classes: entries of one name are one class.
    class_ids : np.ndarray
        (M + 1,) uint8, the merged class of each entry, 0 first.
    stage_ids : np.ndarray
        (M + 1,) uint8, the stage of each entry, counted from 1.
    rank : int
        Axes in space.
    takes_floats : bool
        Whether images may be of floats, by all stages.
    """

    classes: tuple[str, ...]
    class_ids: np.ndarray
    stage_ids: np.ndarray
    rank: int
    takes_floats: bool

    kinds: ClassVar = ("mask", "labels", "stages")
    multilabel: ClassVar = False
    objects: ClassVar = Objects("components", {})

    def decide(self, entries: np.ndarray) -> np.ndarray:
        """Give the merged classes of entries: (..., 1) uint8 to (...) uint8."""
        return self.class_ids[entries[..., 0]]

    def stages(self, entries: np.ndarray) -> np.ndarray:
        """Give the stages that entries came from: (..., 1) uint8 to (...) uint8, 0 for none."""
        return self.stage_ids[entries[..., 0]]

    def label(self, mask: np.ndarray) -> np.ndarray:
        """Number the objects of a mask: int32 of its shape."""
        return self.objects.label(mask)


def _times(numbers: float | tuple[float, ...], factor: float) -> int | tuple[int, ...]:
    """Multiply a count of pixels, or one for each class."""
    if isinstance(numbers, tuple):
        return tuple(round(number * factor) for number in numbers)
    return round(numbers * factor)


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
        inspect.signature(INSTANCES[method]).bind_partial(None, **arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the way {given} from a mask to objects is not known to this version") from error
    tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    return Objects(method, tuples)
