"""What the engines with discriminators have in common: two sides, each with its own optimiser.

Both sides learn from the same state: every gradient is taken before any weight changes. A side's gradient is
taken with respect to its own weights alone, so a step of the one leaves the other's as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import ops

from kerasseg.masks import IGNORE
from kerasseg.metrics.streaming import Dice
from kerasseg.training.losses import Tensor, least_squares_loss
from kerasseg.training.optimizers import renewed

REAL, MADE = 1.0, 0.0


class Contest(keras.Model):
    """Generators against discriminators; subclasses say what each side loses.

    Parameters
    ----------
    generators, discriminators : sequence of keras.Model
        Built under the scope of their devices. The first generator answers for images.
    optimizer, discriminator_optimizer : keras.optimizers.Optimizer
        Of each side; their arguments are used, and not themselves.
    shown : sequence of str
        Names of the means that every step tells, ``loss`` being what ``val_loss`` is to be compared with.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice that the history shows.
    """

    def __init__(
        self,
        generators: Sequence[keras.Model],
        discriminators: Sequence[keras.Model],
        *,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        shown: Sequence[str],
        threshold: float,
        activation: str,
    ) -> None:
        super().__init__()
        self.generators, self.discriminators = list(generators), list(discriminators)
        self.means = {name: keras.metrics.Mean(name) for name in shown}
        self.dice = Dice(generators[0].output_shape[-1], threshold, activation)
        self.discriminator_optimizer = renewed(discriminator_optimizer, weights(discriminators))
        self.compile(renewed(optimizer, weights(generators)), jit_compile=False)
        self.built = True  # as its networks are

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Answer for images."""
        return self.generators[0](images, training=training)

    def step(self, mine: list[Tensor], theirs: list[Tensor], *losses: Tensor) -> None:
        """Change the weights of both sides, when nothing is left to be worked out from those of before.

        TensorFlow orders what reads and what writes a variable; all the same, on busy cores one side's losses
        were once seen to be those of its new weights.
        """
        with tf.control_dependencies([*mine, *theirs, *losses]):
            self.optimizer.apply(mine, weights(self.generators))
            self.discriminator_optimizer.apply(theirs, weights(self.discriminators))

    def tell(self, *scores: keras.metrics.Metric, **losses: Tensor) -> dict[str, Tensor]:
        """Add one number an image to each mean, and say what these and `scores` have come to."""
        for name, values in losses.items():
            self.means[name].update_state(values)
        told = {name: self.means[name].result() for name in losses}
        return told | {score.name: score.result() for score in scores}


def weights(networks: Sequence[keras.Model]) -> list[keras.Variable]:
    """What networks learn."""
    return [variable for network in networks for variable in network.trainable_variables]


def mean_for(optimizer: keras.optimizers.Optimizer, losses: Tensor) -> Tensor:
    """Mean over a batch as `optimizer` wants it: devices sum their gradients, float16 needs them scaled."""
    return optimizer.scale_loss(ops.mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync)


def duel(discriminator: keras.Model, real: Tensor, made: Tensor) -> Tensor:
    """``(D(real) - 1)^2 + D(made)^2``, what a discriminator loses: ``(B,)``."""
    truth, feigned = discriminator(real, training=True), discriminator(made, training=True)
    return least_squares_loss(truth, REAL) + least_squares_loss(feigned, MADE)


def gradients_in_turn(
    parts: Sequence[Callable[[], tuple[Tensor, ...]]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
) -> tuple[list[Tensor], list[tuple[Tensor, ...]]]:
    """Gradient of a sum, part by part, each begun when the one before is done.

    So memory holds the feature maps of one part at a time, in as much time as one gradient of all takes.

    Parameters
    ----------
    parts : sequence of callable
        Each gives losses ``(B,)``, which depend on all of `variables`, and what else is wanted of it.
    variables : sequence of keras.Variable
        What the gradient is taken with respect to.
    optimizer : keras.optimizers.Optimizer
        Whose scale it takes.

    Returns
    -------
    list of tensor
        The gradient of the mean of all losses.
    list of tuple
        What each part gave.
    """
    total, results = [], []
    for part in parts:
        with tf.control_dependencies(total):
            with tf.GradientTape() as tape:
                losses, *rest = part()
                mean = mean_for(optimizer, losses)
            gradients = tape.gradient(mean, variables)
            total = [ops.add(*pair) for pair in zip(total, gradients, strict=True)] if total else gradients
        results.append((losses, *rest))
    return total, results


def seen(mask: Tensor, target: Tensor) -> Tensor:
    """A mask as networks see it, float32, with 0 where `target` is to be ignored."""
    return ops.where(target == IGNORE, 0.0, ops.cast(mask, "float32"))
