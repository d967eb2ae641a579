"""A Keras model as one graph: a function from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    from tensorflow.types.experimental import PolymorphicFunction

Forward = Callable[[np.ndarray], np.ndarray]
"""From a batch (B, Y, X, C) or (B, Z, Y, X, C) float32 to its (..., K) float32."""


def compiled(model: keras.Model, device: str | None = None) -> Forward:
    """Compile a model as it is, for a device or wherever TensorFlow likes."""
    graph = traced(model, device)
    return lambda batch: graph(batch).numpy()


def traced(model: keras.Model, device: str | None = None) -> PolymorphicFunction:
    """Make the one graph of a model for batches of all shapes."""
    import tensorflow as tf

    def answer(batch: tf.Tensor) -> tf.Tensor:
        with tf.device(device):
            return model(batch, training=False)

    return tf.function(answer, input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
