"""The functions that a SavedModel answers by: thin ones for each kind of request, around one network.

=================  ===================================================================================
signature          takes
=================  ===================================================================================
`serving_default`  `image`: uint8 (B, Y, X, C) or (B, Z, Y, X, C), grey without C, of any size
`uint16`           the same in uint16
`float32`          the same in float32
`encoded`          `image_bytes`: (B,) PNG (8 or 16 bits) or JPEG files of one size; not of volumes
`tiles`            `tiles`: float32 (B, ..., C), parts of an image that whoever sends them has normalised
`packed`           `tiles_bytes`: (B,), the same as bytes; `size`: int32 (B, 2) or (B, 3), their sizes
`metadata`         `request`: (B,) strings that do not matter
=================  ===================================================================================

All but the last two give `probabilities` (B, ..., K) float32 and `mask` uint8, at the size of what was sent:
class ids (B, ...), or (B, ..., K) of 0 and 1 where classes do not exclude each other. `packed` gives
`probabilities_bytes` (B,), see `packing`; by REST they travel as base64. `metadata` gives the same JSON,
`kerasseg.spec.ModelSpec`, for each string: it takes a batch because a server that batches refuses
signatures that do not. There is no `float32` where images are matched to a histogram.

A cascade has the signatures of images, `encoded` and `metadata`, and answers by `mask`, the merged class of
each pixel, and `stages`, where it came from: see `kerasseg.cascade.Cascade`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from kerasseg.cascade import Cascade
from kerasseg.inference.folding import folded
from kerasseg.serving import graph, packing
from kerasseg.serving.decoding import any_deep, decode
from kerasseg.spec import MergedSpec, ModelSpec

IMAGES = {"serving_default": tf.uint8, "uint16": tf.uint16, "float32": tf.float32}

Answer = dict[str, tf.Tensor]


def image_types(spec: ModelSpec | MergedSpec) -> dict[str, tf.DType]:
    """Name the signatures for whole images, and their types."""
    return {name: dtype for name, dtype in IMAGES.items() if spec.takes_floats or dtype.is_integer}


class Served(tf.Module):
    """What is saved: a model's variables, and the functions that use them.

    Parameters
    ----------
    model : keras.Model
        From (B, ..., C) float32 in [0, 1] to (B, ..., K).
    spec : ModelSpec
    """

    def __init__(self, model: keras.Model, spec: ModelSpec) -> None:
        super().__init__(name=model.name)
        model = folded(model)
        self.weights = [variable.value for variable in model.variables]
        self._spec = spec
        self._network = _network(model, spec)

    def signatures(self) -> dict[str, Callable]:
        """Trace every signature; the network is traced for the first of them and called by the rest."""
        made = {
            # Of unknown rank: grey images may leave out their axis of channels.
            name: _traced(self._of_image, tf.TensorSpec(None, dtype, name="image"))
            for name, dtype in image_types(self._spec).items()
        }
        if self._spec.rank == 2:
            made["encoded"] = _traced(self._of_bytes, tf.TensorSpec((None,), tf.string, name="image_bytes"))
        tiles = tf.TensorSpec(_batch(self._spec, self._spec.channels), tf.float32, name="tiles")
        made["tiles"] = _traced(self._of_tiles, tiles)
        packed = tf.TensorSpec((None,), tf.string, name="tiles_bytes")
        size = tf.TensorSpec((None, self._spec.rank), tf.int32, name="size")
        made["packed"] = _traced(self._of_packed, packed, size)
        made["metadata"] = _traced(self._of_nothing, tf.TensorSpec((None,), tf.string, name="request"))
        return made

    def mask(self, image: tf.Tensor, channels: Sequence[tf.Tensor]) -> tf.Tensor:
        """Classify images as stored, with channels (B, ..., 1) beside them: (B, ...) uint8."""
        seen, stored = self._seen(image)
        return self._answer(tf.concat([seen, *channels], axis=-1), stored)["mask"]

    def _of_image(self, image: tf.Tensor) -> Answer:
        return self._answer(*self._seen(graph.as_batch(image, self._spec.rank)))

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
        tiles = packing.unpack(tiles_bytes, size, self._spec.channels)
        return {"probabilities_bytes": packing.pack(self._network(tiles))}

    def _of_nothing(self, request: tf.Tensor) -> Answer:
        return {"metadata": tf.fill(tf.shape(request), self._spec.to_json())}

    def _seen(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Do what `images.preprocessing.Preprocessing` does, in its order; keep the size that was sent."""
        spec, dtype = self._spec, image.dtype
        pixels = graph.with_channels(tf.cast(image, tf.float32), spec.channels, dtype.is_integer)
        stored = tf.shape(pixels)[1:-1]
        if spec.match is not None:
            pixels, dtype = graph.match(pixels, spec.match, dtype), tf.as_dtype(spec.match.dtype)
        seen = graph.normalise(pixels, spec.normalise, dtype)
        return (graph.resize(seen, self._seen_size(stored)) if self._resizes else seen), stored

    @property
    def _resizes(self) -> bool:
        return self._spec.resize is not None or self._spec.scale != 1

    def _seen_size(self, stored: tf.Tensor) -> tf.Tensor:
        """Do what `ModelSpec.seen_size` does."""
        if self._spec.resize is not None:
            return tf.constant(self._spec.resize)
        return tf.maximum(1, tf.cast(tf.round(tf.cast(stored, tf.float64) * self._spec.scale), tf.int32))

    def _answer(self, seen: tf.Tensor, stored: tf.Tensor) -> Answer:
        probabilities = self._network(seen)
        if self._resizes:
            probabilities = graph.resize(probabilities, stored)
        return self._with_mask(probabilities)

    def _with_mask(self, probabilities: tf.Tensor) -> Answer:
        return {"probabilities": probabilities, "mask": graph.decide(probabilities, self._spec)}


class ServedCascade(tf.Module):
    """What is saved of a cascade: its networks, and the functions that merge what they say.

    Parameters
    ----------
    models : mapping of str to keras.Model
        That of each stage.
    cascade : Cascade
        Whose stages look at images as these models do.
    """

    def __init__(self, models: Mapping[str, keras.Model], cascade: Cascade) -> None:
        super().__init__(name="cascade")
        self.networks = {name: Served(models[name], cascade.stages[name].segmenter.spec) for name in models}
        self._cascade = cascade

    def signatures(self) -> dict[str, Callable]:
        """Trace every signature; each network is traced once and called by all."""
        made = {
            name: _traced(self._of_image, tf.TensorSpec(None, dtype, name="image"))
            for name, dtype in image_types(self._cascade.spec).items()
        }
        if self._cascade.spec.rank == 2:
            made["encoded"] = _traced(self._of_bytes, tf.TensorSpec((None,), tf.string, name="image_bytes"))
        made["metadata"] = _traced(self._of_nothing, tf.TensorSpec((None,), tf.string, name="request"))
        return made

    def _of_image(self, image: tf.Tensor) -> Answer:
        return self._merged(self._masks(graph.as_batch(image, self._cascade.spec.rank)))

    def _of_bytes(self, image_bytes: tf.Tensor) -> Answer:
        def masks(dtype: tf.DType) -> dict[str, tf.Tensor]:
            return self._masks(decode(image_bytes, dtype))

        return self._merged(tf.cond(any_deep(image_bytes), lambda: masks(tf.uint16), lambda: masks(tf.uint8)))

    def _of_nothing(self, request: tf.Tensor) -> Answer:
        spec, settings = self._cascade.spec, self._cascade.settings()
        text = json.dumps({"classes": spec.classes, **settings}, ensure_ascii=False)
        return {"metadata": tf.fill(tf.shape(request), text)}

    def _masks(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Give what each stage finds, (B, ...) uint8, by what it sees of those before it."""
        masks: dict[str, tf.Tensor] = {}
        for name, stage in self._cascade.stages.items():
            found = [masks[other] == class_id for other, class_id in stage.sees]
            channels = [tf.cast(each, tf.float32)[..., None] for each in found]
            mask = self.networks[name].mask(image, channels)
            if stage.within:
                other, class_id = stage.within
                mask = tf.where(masks[other] == class_id, mask, tf.zeros_like(mask))
            masks[name] = mask
        return masks

    def _merged(self, masks: Mapping[str, tf.Tensor]) -> Answer:
        spec = self._cascade.spec
        entries = tf.zeros_like(next(iter(masks.values())), tf.int32)
        for number, (stage, class_id) in reversed([*enumerate(self._cascade.merge, start=1)]):
            entries = tf.where(masks[stage] == class_id, number, entries)
        return {"mask": tf.gather(spec.class_ids, entries), "stages": tf.gather(spec.stage_ids, entries)}


def _traced(function: Callable, *takes: tf.TensorSpec) -> Callable:
    return tf.function(function, input_signature=takes, autograph=False).get_concrete_function()


def _batch(spec: ModelSpec, channels: int) -> tuple[int | None, ...]:
    """Give the shape of a batch of images or volumes of any size."""
    return (None, *[None] * spec.rank, channels)


def _network(model: keras.Model, spec: ModelSpec) -> Callable:
    """Make the one function that runs the model, on images and tiles of any size."""

    def probabilities(seen: tf.Tensor) -> tf.Tensor:
        padded = model(graph.pad(seen, spec.stride), training=False)
        cropped = graph.crop(padded, tf.shape(seen)[1:-1])
        return tf.ensure_shape(tf.cast(cropped, tf.float32), _batch(spec, spec.outputs))

    takes = tf.TensorSpec(_batch(spec, spec.channels + spec.beside), tf.float32)
    return tf.function(probabilities, input_signature=[takes], autograph=False)
