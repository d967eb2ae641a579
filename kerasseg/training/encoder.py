"""An encoder that is frozen in the first epochs, and then learns at a lower rate than the rest.

What is already learnt, on other images, is easily lost to the gradients of a decoder that still knows
nothing. How much an encoder learns is a number that changes between epochs, in the graph of a step, so that
nothing is traced anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import tensorflow as tf

from kerasseg.errors import UserError
from kerasseg.models.transfer import encoder_layers
from kerasseg.training.keras_speedups import FusedBatchNormalization


class EncoderRate(keras.callbacks.Callback):
    """Set before each epoch at which share of the learning rate the encoder learns.

    Where it is 0 the encoder is frozen: its weights keep their bits, and its batch normalisation is by its
    moving statistics, which do not move.

    Parameters
    ----------
    engine : keras.Model
        Compiled, not yet trained, with an optimiser of `kerasseg.training.keras_speedups`; to be made under
        the scope of its devices.
    model : keras.Model
        What the engine trains.
    frozen_epochs : int
        Epochs in which the share is 0.
    rate : float
        The share after them, in [0, 1].

    Raises
    ------
    UserError
        If the model has no encoder.
    """

    def __init__(self, engine: keras.Model, model: keras.Model, *, frozen_epochs: int, rate: float) -> None:
        super().__init__()
        self.frozen_epochs, self.rate = frozen_epochs, rate
        self.share = keras.Variable(self._share(0), trainable=False, dtype="float32", name="encoder_share")
        encoder = encoder_layers(model)
        if not encoder:
            raise UserError(f"train.encoder: the network {model.name} has no encoder; set encoder: null")
        optimizer = getattr(engine.optimizer, "inner_optimizer", engine.optimizer)  # within one of float16
        optimizer.slow_down([weight for layer in encoder for weight in layer.trainable_weights], self.share)
        for layer in _layers(engine):
            if isinstance(layer, FusedBatchNormalization) and layer.layer in encoder:
                layer.is_frozen = self._is_frozen

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Make the share follow from the number of the epoch alone."""
        self.share.assign(self._share(epoch))

    def _share(self, epoch: int) -> float:
        return 0.0 if epoch < self.frozen_epochs else self.rate

    def _is_frozen(self) -> tf.Tensor:
        return tf.equal(self.share.value, 0.0)


def _layers(engine: keras.Model) -> Iterator[keras.layers.Layer]:
    """List the layers of an engine, and those of the networks that it holds."""
    for layer in engine.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else [layer]
