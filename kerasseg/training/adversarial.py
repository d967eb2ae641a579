"""Learn from targets and from a discriminator: Vox2Vox, in 2-D pix2pix; and what all such engines share.

The discriminator learns to tell an image with its target from the image with what the generator makes of it;
the generator learns to come near the target, and to be taken for it.

Ignored pixels are 0 in both masks that the discriminator sees, and count in no loss, so nothing there is
learnt from.

Generators and discriminators learn from the same state: every gradient is taken before any weight changes. A
side's gradient is taken with respect to its own weights alone, so a step of the one leaves the other's as
they are.

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
from keras import ops

from kerasseg.images.masks import IGNORE
from kerasseg.metrics.streaming import Dice
from kerasseg.training.keras_speedups import fused, renewed
from kerasseg.training.losses import Loss, Shape, Tensor, least_squares_loss

REAL, FAKE = 1.0, 0.0
MEANS = ("loss", "generator_loss", "discriminator_loss")


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
    """Make the engine that trains `generator` to answer like its targets, and to convince a discriminator.

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
        Weight of the loss beside what the discriminator says.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice that the history shows.

    Returns
    -------
    keras.Model
        Compiled, for `kerasseg.training.loop.train`; it shares the weights of both networks.
    """
    with generator.distribute_strategy.scope():
        shapes = [generator.input_shape[1:], generator.output_shape[1:]]
        return ConditionalGan(
            [fused(generator)],
            [fused(discriminator(shapes))],
            loss=loss,
            weight=weight,
            optimizer=optimizer,
            discriminator_optimizer=discriminator_optimizer,
            threshold=threshold,
            activation=activation,
        )


class AdversarialModel(keras.Model):
    """Generators against discriminators, each side with its optimiser; subclasses say what each side loses.

    Parameters
    ----------
    generators, discriminators : sequence of keras.Model
        Built under the scope of their devices. The first generator answers for images.
    loss : callable
        How far masks are from their targets, for training or for the choice of an epoch.
    optimizer, discriminator_optimizer, threshold, activation
        See `adversarial`.
    """

    def __init__(
        self,
        generators: Sequence[keras.Model],
        discriminators: Sequence[keras.Model],
        *,
        loss: Loss,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        threshold: float,
        activation: str,
    ) -> None:
        super().__init__()
        self.generators, self.discriminators = list(generators), list(discriminators)
        self.mask_loss = loss
        self.means = {name: keras.metrics.Mean(name) for name in MEANS}
        self.dice = Dice(generators[0].output_shape[-1], threshold, activation)
        self.discriminator_optimizer = renewed(discriminator_optimizer, trainable_weights(discriminators))
        self.compile(renewed(optimizer, trainable_weights(generators)), jit_compile=False)
        self.built = True  # as its networks are

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Answer for images."""
        return self.generators[0](images, training=training)

    def apply(
        self, generator_gradients: list[Tensor], discriminator_gradients: list[Tensor], *losses: Tensor
    ) -> None:
        """Change the weights of both sides, when nothing is left to be worked out from those of before.

        TensorFlow orders what reads and what writes a variable; all the same, on busy cores one side's losses
        were once seen to be those of its new weights.
        """
        with tf.control_dependencies([*generator_gradients, *discriminator_gradients, *losses]):
            self.optimizer.apply(generator_gradients, trainable_weights(self.generators))
            discriminator_weights = trainable_weights(self.discriminators)
            self.discriminator_optimizer.apply(discriminator_gradients, discriminator_weights)

    def logs(self, *scores: keras.metrics.Metric, **losses: Tensor) -> dict[str, Tensor]:
        """Add losses, one number an image, to their means over the epoch; return these and `scores`."""
        for name, values in losses.items():
            self.means[name].update_state(values)
        means = {name: self.means[name].result() for name in losses}
        return means | {score.name: score.result() for score in scores}


class ConditionalGan(AdversarialModel):
    """A generator, and a discriminator that compares its masks with the true ones; see `adversarial`."""

    def __init__(self, *networks: list[keras.Model], weight: float, **settings) -> None:
        super().__init__(*networks, **settings)
        self.weight = weight

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Take a step on each side, from one pass through the generator and two through the discriminator."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        (generator,), (discriminator,) = self.generators, self.discriminators
        with tf.GradientTape(persistent=True) as tape:
            fake = generator(images, training=True)
            fake_scores = discriminator([images, without_ignored(fake, targets)], training=True)
            real_scores = discriminator([images, without_ignored(targets, targets)], training=True)
            loss = self.mask_loss(targets, fake)
            generator_loss = least_squares_loss(fake_scores, REAL) + self.weight * loss
            discriminator_loss = discriminator_losses(real_scores, fake_scores)
            generator_mean = scaled_mean(self.optimizer, generator_loss)
            discriminator_mean = scaled_mean(self.discriminator_optimizer, discriminator_loss)
        generator_gradients = tape.gradient(generator_mean, trainable_weights([generator]))
        discriminator_gradients = tape.gradient(discriminator_mean, trainable_weights([discriminator]))
        self.apply(generator_gradients, discriminator_gradients, generator_loss, discriminator_loss)
        self.dice.update_state(targets, fake)
        losses = {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}
        return self.logs(self.dice, loss=loss, **losses)

    def test_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare the generator's answer with the truth."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        masks = self(images, training=False)
        self.dice.update_state(targets, masks)
        return self.logs(self.dice, loss=self.mask_loss(targets, masks))


def trainable_weights(networks: Sequence[keras.Model]) -> list[keras.Variable]:
    """List what networks learn."""
    return [variable for network in networks for variable in network.trainable_variables]


def scaled_mean(optimizer: keras.optimizers.Optimizer, losses: Tensor) -> Tensor:
    """Mean over a batch as `optimizer` wants it: devices sum their gradients, float16 needs them scaled."""
    return optimizer.scale_loss(ops.mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync)


def discriminator_losses(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """``(D(real) - 1)^2 + D(fake)^2``: ``(B,)``."""
    return least_squares_loss(real_scores, REAL) + least_squares_loss(fake_scores, FAKE)


def without_ignored(mask: Tensor, target: Tensor) -> Tensor:
    """Give a mask as networks see it, float32, with 0 where `target` is to be ignored."""
    return ops.where(target == IGNORE, 0.0, ops.cast(mask, "float32"))
