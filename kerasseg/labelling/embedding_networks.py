"""Networks that embed tiles: one that is trained on the spot, others that have seen ImageNet."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.labelling.tiles import TilePixels
from kerasseg.models import autoencoder, receptive_field
from kerasseg.models.encoders import ENCODERS
from kerasseg.training import devices
from kerasseg.training.callbacks import Progress
from kerasseg.training.keras_speedups import Adam

LEARNING_RATE = 1e-3
PREFETCHED = 4  # batches made before they are asked for

Build = Callable[[tuple[int | None, ...]], keras.Model]
"""From the shape of an image to a model."""


def train_autoencoder(
    pixels: TilePixels, *, epochs: int, batch_size: int, tiles: int, seed: int
) -> keras.Model:
    """Train the autoencoder on a slide, and take its encoder.

    Parameters
    ----------
    pixels : TilePixels
        Tiles of the part "train" are learnt from.
    epochs, batch_size : int
    tiles : int
        Most tiles to learn from; where there are more, they are drawn by `seed`.
    seed : int
        Also draws the first weights, and the order of tiles.

    Returns
    -------
    keras.Model
        See `kerasseg.models.autoencoder.encoder`.

    Raises
    ------
    UserError
        If no tile is there to learn from.
    """
    drawn = draw_training_tiles(pixels, tiles, seed)
    model = _built(autoencoder.autoencoder, pixels, seed)
    model.compile(Adam(LEARNING_RATE), "mse", jit_compile=False)
    messages = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: say(f"epoch {epoch + 1}/{epochs}  loss {logs['loss']:.5f}")
    )
    say(f"autoencoder: learning from {len(drawn)} of {len(pixels)} tiles")
    progress = Progress(epochs, math.ceil(len(drawn) / batch_size))
    batches = _batches(pixels, drawn, batch_size, receptive_field.stride(model)[0], seed)
    model.fit(batches, epochs=epochs, callbacks=[progress, messages], shuffle=False, verbose=0)
    return autoencoder.encoder(model)


def pretrained_efficientnet(
    pixels: TilePixels,
    *,
    encoder: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    seed: int,
) -> keras.Model:
    """Take an EfficientNet's deepest features, averaged over the tile.

    Parameters
    ----------
    pixels : TilePixels
    encoder : str
        A name in `kerasseg.models.encoders.ENCODERS`, of an EfficientNet or EfficientNet-Lite.
    encoder_weights, encoder_weights_fallback
        See `kerasseg.models.encoders.encode`.
    seed : int
        Draws random weights, where the recipe falls back to them.

    Returns
    -------
    keras.Model
        From images (B, Y, X, C) in [0, 1] to embeddings (B, 1, 1, filters) float32.

    Raises
    ------
    UserError
        If the weights cannot be had and there is no fallback.
    """

    def build(input_shape: tuple[int | None, ...]) -> keras.Model:
        image, features = ENCODERS[encoder](
            input_shape,
            encoder_weights=encoder_weights,
            encoder_weights_fallback=encoder_weights_fallback,
            freeze_batchnorm=True,
            batchnorm_momentum=0.99,
        )
        pooled = layers.GlobalAveragePooling2D(keepdims=True, dtype="float32", name=autoencoder.CODE)
        return keras.Model(image, pooled(features[-1]), name=f"{encoder}_encoder")

    return _built(build, pixels, seed)


def draw_training_tiles(pixels: TilePixels, most: int, seed: int) -> np.ndarray:
    """Draw the tiles to learn from: none of those that a model will be tested on.

    Returns
    -------
    numpy.ndarray, shape (tiles,), int
        Their places, ascending.
    """
    places = np.array([place for place, tile in enumerate(pixels.tiles) if tile.part == "train"])
    if not len(places):
        raise UserError(
            f"{pixels.root}: none of its {len(pixels)} tiles is of the part train, so there is nothing to "
            "learn from; crop the slide with a larger region, or a smaller test_region"
        )
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, most, replace=False))


def _built(build: Build, pixels: TilePixels, seed: int) -> keras.Model:
    """Build in float32: embeddings are compared by distances, of which half precision leaves little."""
    setting = devices.configure("float32")
    say(f"computing on {setting}")
    keras.utils.set_random_seed(seed)
    with setting.scope():
        return build((None, None, pixels.shape[-1]))


def _batches(
    pixels: TilePixels, drawn: np.ndarray, batch_size: int, stride: int, seed: int
) -> tf.data.Dataset:
    """Batch tiles, as images and as targets, in another order each epoch."""

    def read(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(partial(pixels.batch, multiple_of=stride), [places], tf.float32, False)
        images.set_shape((None, None, None, pixels.shape[-1]))
        return images, images

    places = tf.data.Dataset.from_tensor_slices(drawn).shuffle(len(drawn), seed=seed).batch(batch_size)
    return places.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(PREFETCHED)


NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "autoencoder": train_autoencoder,
    "efficientnet": pretrained_efficientnet,
}
