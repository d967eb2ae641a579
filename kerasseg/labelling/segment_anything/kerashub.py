"""What automatic masks ask of Segment Anything, and KerasHub's model as that.

As in the original (facebookresearch/segment-anything, `predictor.py`, `modeling/sam.py`, Apache-2.0) an image
is scaled until its longer side is the model's, and goes on below or on the right in the mean colour; answers
are enlarged four times, cut to the image, and scaled back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cv2
import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.preprocessing import normalise, resize, with_channels

if TYPE_CHECKING:
    import keras

MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet's, which KerasHub's encoder subtracts
FOREGROUND, NO_POINT = 1, -1  # labels of points
ANSWERS = slice(1, None)  # the first of four is for prompts of several points


class Network(Protocol):
    """What finds the objects at points of an image."""

    def embed(self, image: np.ndarray) -> Any:
        """Look at an image (Y, X, C), once: what it gives is handed to `masks`."""

    def masks(self, embedding: Any, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the objects at points: (N, 2), x and y in pixels of the image.

        Gives three answers a point: logits (N, 3, H, W) at a size of its own, and the intersection over union
        with the truth that it expects of each (N, 3); both float32.
        """

    def enlarge(self, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bring the logits (H, W) of one answer to the image's height and width."""


class ImageEmbedding(NamedTuple):
    """What the encoder made of an image: (1, H, W, C) float32, and the image's height and width."""

    features: Any
    size: tuple[int, int]


@dataclass(frozen=True)
class SegmentAnything:
    """KerasHub's model.

    Parameters
    ----------
    backbone : keras_hub.models.SAMBackbone
        Image encoder, prompt encoder and mask decoder.
    normalise : Normalisation
        How intensities come into [0, 1].
    """

    backbone: keras.Model
    normalise: Normalisation

    @property
    def side(self) -> int:
        """Pixels along each side of what the encoder sees."""
        return self.backbone.image_encoder.input.shape[1]

    @cached_property
    def _encoder(self) -> keras.Model:
        """From a square image to its embedding."""
        encoder = self.backbone.image_encoder
        return _compiled(encoder.inputs, encoder.output)

    @cached_property
    def _decoder(self) -> keras.Model:
        """From an embedding and prompts to answers, as one model, which answers many times sooner."""
        import keras

        features = keras.Input(batch_shape=self.backbone.image_encoder.output.shape)
        points, labels = keras.Input((2, 2)), keras.Input((2,))
        prompts = self.backbone.prompt_encoder(points=points, labels=labels)
        answers = self.backbone.mask_decoder(image_embeddings=features, **prompts)
        return _compiled([features, points, labels], answers)

    def embed(self, image: np.ndarray) -> ImageEmbedding:
        """Look at an image of any type and size, grey or coloured."""
        batch = squared(rgb(image, self.normalise), self.side)[None]
        return ImageEmbedding(self._encoder.predict_on_batch(batch), image.shape[:2])

    def masks(self, embedding: ImageEmbedding, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Network.masks`; the logits are of a fourth of the encoder's `side`."""
        scale = np.divide(scaled(embedding.size, self.side), embedding.size)
        points = points * scale[::-1]
        # a second point, which is none, stands for the box that is not given
        coordinates = np.stack([points, np.zeros_like(points)], axis=1).astype(np.float32)
        labels = np.tile(np.array([FOREGROUND, NO_POINT], np.float32), (len(points), 1))
        answers = self._decoder.predict_on_batch([embedding.features, coordinates, labels])
        logits, predicted = (np.asarray(answers[name], np.float32) for name in ("masks", "iou_pred"))
        return logits[:, ANSWERS], predicted[:, ANSWERS]

    def enlarge(self, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """See `Network.enlarge`."""
        height, width = scaled(size, self.side)
        square = cv2.resize(logits, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        return cv2.resize(square[:height, :width], size[::-1], interpolation=cv2.INTER_LINEAR)


def load_network(preset: str | Path, normalise: Normalisation) -> SegmentAnything:
    """Load Segment Anything by KerasHub.

    Parameters
    ----------
    preset : str or Path
        A name, such as ``sam_base_sa1b``, whose weights are downloaded at first use, or a folder that
        `save_to_preset` wrote.
    normalise : Normalisation
        How intensities come into [0, 1].

    Raises
    ------
    UserError
        If KerasHub is not installed, or the preset cannot be loaded.
    """
    try:
        from keras_hub import models
    except ImportError as error:
        raise UserError(
            f"Segment Anything needs the package keras-hub ({error}): pip install 'kerasseg[sam]'"
        ) from error
    try:
        segmenter = models.SAMImageSegmenter.from_preset(str(preset))
    except (ValueError, OSError, ImportError) as error:
        raise UserError(
            f"Segment Anything's preset {str(preset)!r} cannot be loaded ({str(error).splitlines()[0]}); "
            f"expected one of {', '.join(sorted(models.SAMImageSegmenter.presets))}, or a folder that its "
            "save_to_preset wrote"
        ) from error
    return SegmentAnything(segmenter.backbone, normalise)


def rgb(image: np.ndarray, method: Normalisation) -> np.ndarray:
    """Turn any image (Y, X, C) into colours (Y, X, 3) float32 in [0, 1].

    Grey is repeated; of two channels the third colour is black; of more than three the first three are shown.
    """
    if image.shape[2] == 2:
        image = np.concatenate([image, np.zeros_like(image[..., :1])], axis=2)
    return with_channels(normalise(image[..., :3], method), 3)


def squared(image: np.ndarray, side: int) -> np.ndarray:
    """Scale colours (Y, X, 3) until their longer side is `side`, and go on in the mean colour to a square."""
    height, width = scaled(image.shape[:2], side)
    square = np.tile(MEAN, (side, side, 1))
    square[:height, :width] = resize(image, (height, width))
    return square


def scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Give the height and width that an image has when its longer side is `side`."""
    scale = side / max(size)
    height, width = (int(length * scale + 0.5) for length in size)
    return max(height, 1), max(width, 1)


def _compiled(inputs: list[keras.KerasTensor], outputs: Any) -> keras.Model:
    """Make a model that answers as a graph, without XLA, which on a CPU takes longer."""
    import keras

    model = keras.Model(inputs, outputs)
    model.compile(jit_compile=False)
    return model
