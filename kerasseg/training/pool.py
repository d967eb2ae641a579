"""Past translations, which a discriminator is shown again so that it does not forget them."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from kerasseg.training.losses import Tensor


class Pool(keras.layers.Layer):
    """Give back translations of now or of the past, each with probability a half, once there are enough.

    What is kept lies in variables, so a checkpoint has it; what is drawn comes from a seed that is set before
    every epoch. Where several devices share a batch, all keep what the first of them made.

    Parameters
    ----------
    shape : sequence of int
        Of one translation, channels last.
    batch_size : int
        Translations that come at once.
    size : int
        Translations that are kept: as many whole batches as go into it, and one at least.

    References
    ----------
    Shrivastava et al., "Learning from simulated and unsupervised images through adversarial training", 2017,
    section 2.3. https://doi.org/10.1109/CVPR.2017.241
    """

    def __init__(self, shape: Sequence[int], *, batch_size: int, size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.size = max(size // batch_size, 1) * batch_size
        how = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        self.kept = self.add_weight((self.size, *shape), "zeros", dtype="float32", name="kept", **how)
        self.count = self.add_weight((), "zeros", dtype="int32", name="count", **how)
        self.draws = keras.random.SeedGenerator(0)

    def call(self, made: Tensor) -> Tensor:
        """Exchange a batch ``(batch_size, ..., C)``: what is given back is not kept any longer."""
        made = ops.stop_gradient(ops.cast(made, "float32"))
        filling = self.count < self.size
        drawn = keras.random.shuffle(ops.arange(self.size), seed=self.draws)[: self.batch_size]
        places = ops.where(filling, self.count + ops.arange(self.batch_size), drawn)
        old = ops.take(self.kept, places, axis=0)
        coins = keras.random.uniform((self.batch_size,), seed=self.draws) < 0.5
        coins = ops.reshape(coins, (-1, *[1] * (len(made.shape) - 1)))
        kept = ops.where(ops.logical_or(filling, coins), made, old)
        given = ops.where(ops.logical_and(ops.logical_not(filling), coins), old, made)
        self.kept.assign(ops.scatter_update(self.kept, places[:, None], kept))
        self.count.assign(ops.minimum(self.count + self.batch_size, self.size))
        return given
