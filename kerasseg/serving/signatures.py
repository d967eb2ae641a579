"""The functions that a SavedModel answers by: thin ones for each kind of request, around one network.

=================  ===================================================================================
signature          takes
=================  ===================================================================================
`serving_default`  `image`: uint8 (B, Y, X, C), or grey (B, Y, X), of any size
`uint16`           the same in uint16
`float32`          the same in float32
`encoded`          `image_bytes`: (B,) PNG (8 or 16 bits) or JPEG files of one size
`tiles`            `tiles`: float32 (B, Y, X, C), parts of an image that whoever sends them has normalised
`packed`           `tiles_bytes`: (B,), the same as bytes; `size`: int32 (B, 2), their height and width
`metadata`         `request`: (B,) strings that do not matter
=================  ===================================================================================

All but the last two give `probabilities` (B, Y, X, K) float32 and `mask` (B, Y, X) uint8, at the size of what
was sent. `packed` gives `probabilities_bytes` (B,), see `packing`; by REST they travel as base64.
`metadata` gives the same JSON, `kerasseg.serving.metadata.Metadata`, for each string: it takes a batch
because a server that batches refuses signatures that do not.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from kerasseg.images.normalise import Dtype
from kerasseg.prediction.folding import folded
from kerasseg.serving import graph, packing
from kerasseg.serving.decoding import any_deep, decode
from kerasseg.serving.metadata import Metadata

IMAGES = {"serving_default": tf.uint8, "uint16": tf.uint16, "float32": tf.float32}

Answer = dict[str, tf.Tensor]


class Served(tf.Module):
    """What is saved: a model's variables, and the functions that use them.

    Parameters
    ----------
    model : keras.Model
        From (B, Y, X, C) float32 in [0, 1] to (B, Y, X, K).
    metadata : Metadata
    """

    def __init__(self, model: keras.Model, metadata: Metadata) -> None:
        super().__init__(name=model.name)
        model = folded(model)
        self.weights = [variable.value for variable in model.variables]
        self._told = metadata
        self._network = _network(model, metadata)

    def signatures(self) -> dict[str, Callable]:
        """Trace every signature; the network is traced for the first of them and called by the rest."""
        made = {
            # Of unknown rank: grey images may leave out their axis of channels.
            name: _traced(self._of_image, tf.TensorSpec(None, dtype, name="image"))
            for name, dtype in IMAGES.items()
        }
        made["encoded"] = _traced(self._of_bytes, tf.TensorSpec((None,), tf.string, name="image_bytes"))
        tiles = tf.TensorSpec((None, None, None, self._told.channels), tf.float32, name="tiles")
        made["tiles"] = _traced(self._of_tiles, tiles)
        packed = tf.TensorSpec((None,), tf.string, name="tiles_bytes")
        made["packed"] = _traced(self._of_packed, packed, tf.TensorSpec((None, 2), tf.int32, name="size"))
        made["metadata"] = _traced(self._of_nothing, tf.TensorSpec((None,), tf.string, name="request"))
        return made

    def _of_image(self, image: tf.Tensor) -> Answer:
        return self._answer(*self._seen(graph.as_batch(image)))

    def _of_bytes(self, image_bytes: tf.Tensor) -> Answer:
        seen, stored = tf.cond(
            any_deep(image_bytes),
            lambda: self._seen(decode(image_bytes, tf.uint16)),
            lambda: self._seen(decode(image_bytes, tf.uint8)),
        )
        return self._answer(seen, stored)

    def _of_tiles(self, tiles: tf.Tensor) -> Answer:
        return self._with_mask(self._network(tiles))

    def _of_packed(self, tiles_bytes: tf.Tensor, size: tf.Tensor) -> Answer:
        tiles = packing.unpack(tiles_bytes, size, self._told.channels)
        return {"probabilities_bytes": packing.pack(self._network(tiles))}

    def _of_nothing(self, request: tf.Tensor) -> Answer:
        return {"metadata": tf.fill(tf.shape(request), self._told.to_json())}

    def _seen(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Normalise and resize in the order of `kerasseg.images.prepare.prepare`; keep the size as sent."""
        told, dtype = self._told, image.dtype
        pixels = graph.with_channels(tf.cast(image, tf.float32), told.channels, dtype.is_integer)
        stored = tf.shape(pixels)[1:3]
        if told.resize is None:
            return graph.normalise(pixels, told.normalise, dtype), stored
        if dtype == tf.uint8 and told.normalise == Dtype():
            # Prepared images are kept as uint8: resized, rounded, divided.
            small = tf.round(graph.resize(pixels, told.resize))
            return graph.normalise(small, told.normalise, dtype), stored
        return graph.resize(graph.normalise(pixels, told.normalise, dtype), told.resize), stored

    def _answer(self, seen: tf.Tensor, stored: tf.Tensor) -> Answer:
        probabilities = self._network(seen)
        if self._told.resize is not None:
            probabilities = graph.resize(probabilities, stored)
        return self._with_mask(probabilities)

    def _with_mask(self, probabilities: tf.Tensor) -> Answer:
        decided = graph.mask(probabilities, self._told.threshold, self._told.activation)
        return {"probabilities": probabilities, "mask": decided}


def _traced(function: Callable, *takes: tf.TensorSpec) -> Callable:
    return tf.function(function, input_signature=takes, autograph=False).get_concrete_function()


def _network(model: keras.Model, told: Metadata) -> Callable:
    """Make the one function that runs the model, on images and tiles of any size."""

    def probabilities(seen: tf.Tensor) -> tf.Tensor:
        height, width = tf.unstack(tf.shape(seen)[1:3])
        padded = model(graph.pad(seen, told.stride), training=False)
        return tf.ensure_shape(
            tf.cast(padded[:, :height, :width], tf.float32), (None, None, None, told.outputs)
        )

    takes = tf.TensorSpec((None, None, None, told.channels), tf.float32)
    return tf.function(probabilities, input_signature=[takes], autograph=False)
