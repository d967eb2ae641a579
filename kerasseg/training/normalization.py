"""Batch normalisation as it is computed while a model is trained.

Keras writes it as some fourteen small operations a layer, each of which goes over the whole feature map.
TensorFlow has it as one operation, and one for its gradient: a training step takes three quarters of the
time.

Keras' moving statistics begin at 0 and 1, and at a momentum of 0.99 hold more of that than of the data for
seventy steps: on few images validation finds nothing for many epochs, and patience ends the training. Here
they are the mean of all steps so far until that is the slower of the two, so they never hold what was not
seen.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops


class FusedBatchNormalization(keras.layers.Layer):
    """What a `keras.layers.BatchNormalization` computes, with that layer's own variables.

    Parameters
    ----------
    layer : keras.layers.BatchNormalization
        Over the last axis. It owns the variables, so whatever is learnt here is learnt there.
    """

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer = layer
        self.steps = self.add_weight((), "zeros", trainable=False, autocast=False, name="steps")

    def call(self, x: tf.Tensor, training: bool = False, mask: None = None) -> tf.Tensor:
        """Normalise `(B, ..., C)` by its own statistics in training, by the moving ones otherwise.

        Keras' layer takes masks, so a copied model hands one over; feature maps have none.
        """
        if not (training and self.layer.trainable):
            return self._normalised(x, self.layer.moving_mean, self.layer.moving_variance)[0]
        # Of no elements, as the operation wants it: it takes the statistics from the batch.
        normalised, mean, variance = self._normalised(x, ops.zeros(0), ops.zeros(0), is_training=True)
        pixels = ops.cast(ops.size(x) // x.shape[-1], "float32")
        self._follow(mean, variance * (pixels - 1) / pixels)  # as Keras: not Bessel's
        return normalised

    def _normalised(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, **how) -> tuple[tf.Tensor, ...]:
        flat = ops.reshape(x, (-1, 1, 1, x.shape[-1]))  # the operation knows no volumes
        scale, offset, mean, variance = (
            ops.cast(values, "float32") for values in (self.layer.gamma, self.layer.beta, mean, variance)
        )
        flat, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=flat,
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            **({"is_training": False} | how),
            epsilon=self.layer.epsilon,
        )
        return ops.reshape(flat, ops.shape(x)), mean, variance

    def _follow(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        kept = ops.minimum(self.layer.momentum, self.steps / (self.steps + 1))
        for moving, value in ((self.layer.moving_mean, mean), (self.layer.moving_variance, variance)):
            moving.assign(moving * kept + value * (1 - kept))
        self.steps.assign_add(1.0)


def fused(model: keras.Model) -> keras.Model:
    """Make a model that computes the same with the same variables, and faster.

    Parameters
    ----------
    model : keras.Model
        Functional.

    Returns
    -------
    keras.Model
        Training it trains `model`.
    """
    return keras.models.clone_model(model, clone_function=_fused_layer)


def _fused_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    return FusedBatchNormalization(layer) if isinstance(layer, keras.layers.BatchNormalization) else layer
