"""Learn from targets and from a judge: Vox2Vox, or in two dimensions pix2pix.

The discriminator learns to tell an image with its target from the image with what the generator makes of it;
the generator learns to come near the target, and to be taken for it.

Ignored pixels are 0 in both masks that the discriminator sees, and count in no loss, so nothing there is
learnt from.

References
----------
Isola et al., "Image-to-image translation with conditional adversarial networks", 2017.
https://doi.org/10.1109/CVPR.2017.632
Cirillo et al., "Vox2Vox: 3D-GAN for brain tumour segmentation", 2020, arXiv:2003.13653.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from kerasseg.training.contest import MADE, REAL, Contest, mean_for, seen, weights
from kerasseg.training.losses import Loss, Shape, Tensor, least_squares_loss
from kerasseg.training.normalization import fused


def adversarial(
    generator: keras.Model,
    *,
    discriminator: Callable[[Sequence[Shape]], keras.Model],
    loss: Loss,
    optimizer: keras.optimizers.Optimizer,
    discriminator_optimizer: keras.optimizers.Optimizer,
    weight: float,
    threshold: float,
    activation: str,
) -> keras.Model:
    """Make the engine that trains `generator` to answer like its targets, and to convince `discriminator`.

    The discriminator loses ``(D(x, y) - 1)^2 + D(x, G(x))^2``, the generator
    ``(D(x, G(x)) - 1)^2 + weight * loss(y, G(x))``. The history's ``loss`` and ``val_loss`` are the latter's
    ``loss(y, G(x))``; ``generator_loss`` and ``discriminator_loss`` are the two above, in training.

    Parameters
    ----------
    generator : keras.Model
        From images ``(B, ..., C)`` to probabilities ``(B, ..., K)``, built under the scope of its devices. It
        stays uncompiled, so that its file holds nothing of the training.
    discriminator : callable
        From the shapes of an image and of its mask to a network that scores ``[images, masks]``: scores are
        ``(B, ..., 1)``, of any range and any size.
    loss : callable
        One of `kerasseg.training.losses`, with its numbers filled in.
    optimizer, discriminator_optimizer : keras.optimizers.Optimizer
        Their arguments are used, and not themselves: they may be made anywhere.
    weight : float
        Of the loss beside the judge's opinion.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice that the history shows.

    Returns
    -------
    keras.Model
        Compiled, for `kerasseg.training.loop.train`; it shares the weights of both networks.
    """
    with generator.distribute_strategy.scope():
        return Adversarial(
            [fused(generator)],
            [fused(discriminator([generator.input_shape[1:], generator.output_shape[1:]]))],
            loss=loss,
            weight=weight,
            optimizer=optimizer,
            discriminator_optimizer=discriminator_optimizer,
            shown=("loss", "generator_loss", "discriminator_loss"),
            threshold=threshold,
            activation=activation,
        )


class Adversarial(Contest):
    """A generator that a discriminator compares with the truth; see `adversarial`."""

    def __init__(self, *networks: list[keras.Model], loss: Loss, weight: float, **contest) -> None:
        super().__init__(*networks, **contest)
        self.distance, self.weight = loss, weight

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Take a step on each side, from one pass through the generator and two through the discriminator."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        (generator,), (discriminator,) = self.generators, self.discriminators
        with tf.GradientTape(persistent=True) as tape:
            made = generator(images, training=True)
            judged = discriminator([images, seen(made, targets)], training=True)
            truth = discriminator([images, seen(targets, targets)], training=True)
            loss = self.distance(targets, made)
            generator_loss = least_squares_loss(judged, REAL) + self.weight * loss
            discriminator_loss = least_squares_loss(truth, REAL) + least_squares_loss(judged, MADE)
            mine = mean_for(self.optimizer, generator_loss)
            theirs = mean_for(self.discriminator_optimizer, discriminator_loss)
        gradients = tape.gradient(mine, weights([generator]))
        against = tape.gradient(theirs, weights([discriminator]))
        self.step(gradients, against, generator_loss, discriminator_loss)
        self.dice.update_state(targets, made)
        losses = {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}
        return self.tell(self.dice, loss=loss, **losses)

    def test_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare the generator's answer with the truth."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        made = self(images, training=False)
        self.dice.update_state(targets, made)
        return self.tell(self.dice, loss=self.distance(targets, made))
