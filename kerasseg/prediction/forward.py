"""What answers for a batch of tiles: a function from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

Forward = Callable[[np.ndarray], np.ndarray]


def forward(model: keras.Model) -> Forward:
    """Compile a Keras model into a function from arrays to arrays, for batches of every shape that it takes.

    One graph is traced for all shapes; `model.predict` builds a dataset and callbacks on every call, which
    costs as much as the network itself on one image.
    """
    import tensorflow as tf

    signature = tf.TensorSpec(model.input_shape, tf.float32)
    graph = tf.function(lambda batch: model(batch, training=False), input_signature=[signature])
    return lambda batch: graph(batch).numpy()
