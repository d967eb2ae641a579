"""Learn from images and masks that do not belong together: CycleGAN.

One generator makes masks of images, the other images of masks; each has a discriminator that compares what it
makes with the real ones. There and back again, an image is to be the same image, and a mask the same mask.

Networks map [0, 1] to [0, 1], and not the paper's [-1, 1] to itself: `kerasseg.training.losses.absolute_loss`
doubles distances, so weights are those of the paper. Pixels to be ignored in a mask are
background to the networks, and count in no distance.

References
----------
Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", 2017.
https://doi.org/10.1109/ICCV.2017.244
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from kerasseg.errors import UserError, unknown
from kerasseg.training.adversarial import (
    REAL,
    AdversarialModel,
    discriminator_losses,
    scaled_mean,
    trainable_weights,
    without_ignored,
)
from kerasseg.training.devices import place
from kerasseg.training.keras_speedups import fused
from kerasseg.training.losses import Loss, Shape, Tensor, absolute_loss, least_squares_loss

CRITERIA = ("cycle", "truth")


def cycle(
    to_masks: keras.Model,
    to_images: keras.Model,
    *,
    discriminator: Callable[[Sequence[Shape]], keras.Model],
    loss: Loss,
    optimizer: keras.optimizers.Optimizer,
    discriminator_optimizer: keras.optimizers.Optimizer,
    shape: Sequence[int],
    batch_size: int,
    cycle_weight: float,
    identity_weight: float,
    class_weights: Sequence[float] | None,
    replay: int,
    choose_by: str,
    threshold: float,
    activation: str,
) -> keras.Model:
    """Make the engine that trains `to_masks` without an image ever being shown with its mask.

    A discriminator D loses ``(D(real) - 1)^2 + D(fake)^2``. The generators lose ``(D(fake) - 1)^2`` on both
    sides, ``cycle_weight`` times the distance of images and masks from themselves after a cycle, and
    ``identity_weight`` times that after the generator that makes their own kind. The history's ``loss`` is
    the distance of images after a cycle, ``generator_loss`` all of the above, and ``discriminator_loss`` that
    of both discriminators.

    Parameters
    ----------
    to_masks, to_images : keras.Model
        From images ``(B, ..., C)`` to probabilities ``(B, ..., K)`` and back, in [0, 1], built under the
        scope of their devices. They stay uncompiled, so that a file of theirs holds nothing of the training.
    discriminator : callable
        From ``[shape]``, of an image or of a mask, to a network that scores such images: scores are
        ``(B, ..., 1)``, of any range and any size.
    loss : callable
        One of `kerasseg.training.losses`, for the criterion ``"truth"``.
    optimizer, discriminator_optimizer : keras.optimizers.Optimizer
        Of both generators, and of both discriminators. Their arguments are used, and not themselves.
    shape : sequence of int
        Spatial axes of the images in a batch.
    batch_size : int
        Images in a batch, shared among devices.
    cycle_weight, identity_weight : float
        Of the distances. Identities need as many channels in images as in masks, or a weight of 0; they draw
        each class towards the channel of its number, which should be the one that shows it.
    class_weights : sequence of float, optional
        What each class counts in the distances of masks, one number each; ones by default.
    replay : int
        Past translations of each kind that are kept to show to discriminators again; the paper has 50.
    choose_by : {"cycle", "truth"}
        What ``val_loss`` is: the distance of held-out images after a cycle, or, where their masks are known,
        the `loss` of what is made of them.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice of held-out images, which the history shows as ``val_dice``.

    Returns
    -------
    keras.Model
        Compiled, for `kerasseg.training.loop.train`; it shares the weights of all networks.

    Raises
    ------
    UserError
        If there are identities to compare and channels differ, the criterion is unknown, or many workers
        were to replay.
    """
    strategy = to_masks.distribute_strategy
    _check(to_masks, identity_weight, choose_by)
    if replay and place(strategy)[1] > 1:
        raise UserError(
            "train.engine.cycle.replay: workers do not share past translations; set it to 0, or set "
            "train.devices to auto"
        )
    with strategy.scope():
        batch = batch_size // strategy.num_replicas_in_sync
        pools = [
            ImagePool((*shape, generator.output_shape[-1]), batch_size=batch, size=replay)
            for generator in (to_masks, to_images)
            if replay
        ]
        return CycleGan(
            [fused(to_masks), fused(to_images)],
            [fused(discriminator([network.output_shape[1:]])) for network in (to_masks, to_images)],
            pools=pools,
            loss=loss,
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
            class_weights=class_weights,
            choose_by=choose_by,
            optimizer=optimizer,
            discriminator_optimizer=discriminator_optimizer,
            threshold=threshold,
            activation=activation,
        )


class Side(NamedTuple):
    """What a side is to change by: the gradients of its weights, and the losses ``(B,)`` that they lessen."""

    gradients: Sequence[Tensor] = ()
    losses: Tensor | None = None


NOTHING = Side()


class CycleGan(AdversarialModel):
    """Two generators that undo each other, and a discriminator for what each makes; see `cycle`."""

    def __init__(
        self,
        *networks: list[keras.Model],
        pools: Sequence[ImagePool],
        cycle_weight: float,
        identity_weight: float,
        class_weights: Sequence[float] | None,
        choose_by: str,
        **settings,
    ) -> None:
        super().__init__(*networks, **settings)
        self.pools, self.choose_by, self.class_weights = pools, choose_by, class_weights
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Take a step on each side.

        The generators' gradient is a sum whose parts are taken in turn, each begun when the one before is
        done: so memory holds the feature maps of one part at a time, in as much time as all at once take.
        """
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        masks = without_ignored(targets, targets)
        ours, fake_masks, distance = self._with(NOTHING, self._image_and_back, images)
        ours, fake_images = self._with(ours, self._mask_and_back, masks, targets)
        if self.identity_weight:
            (ours,) = self._with(ours, self._own_kinds, images, masks, targets)
        theirs = self._told_apart(images, masks, fake_images, fake_masks)
        self.apply(ours.gradients, theirs.gradients, ours.losses, theirs.losses)
        return self.logs(loss=distance, generator_loss=ours.losses, discriminator_loss=theirs.losses)

    def _with(self, before: Side, part: Callable[..., tuple], *given: Tensor) -> tuple:
        """Add a part to the generators' losses when those before are done; give also what it made."""
        weights = trainable_weights(self.generators)
        with tf.control_dependencies(before.gradients):
            with tf.GradientTape() as tape:
                losses, *made = part(*given)
                mean = scaled_mean(self.optimizer, losses)
            gradients = tape.gradient(mean, weights)
        if before is not NOTHING:
            gradients = [ops.add(*pair) for pair in zip(before.gradients, gradients, strict=True)]
            losses = before.losses + losses
        return Side(gradients, losses), *made

    def _image_and_back(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Make masks of images, and images of these: losses, masks, and how far images are from the first."""
        to_masks, to_images = self.generators
        fake_masks = to_masks(images, training=True)
        distance = absolute_loss(images, to_images(fake_masks, training=True))
        scores = self.discriminators[0](fake_masks, training=True)
        return least_squares_loss(scores, REAL) + self.cycle_weight * distance, fake_masks, distance

    def _mask_and_back(self, masks: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Make images of masks, and masks of these: losses and images."""
        to_masks, to_images = self.generators
        fake_images = to_images(masks, training=True)
        distance = absolute_loss(targets, to_masks(fake_images, training=True), self.class_weights)
        scores = self.discriminators[1](fake_images, training=True)
        return least_squares_loss(scores, REAL) + self.cycle_weight * distance, fake_images

    def _own_kinds(self, images: Tensor, masks: Tensor, targets: Tensor) -> tuple[Tensor]:
        """Put images through what makes images, and masks through what makes masks: losses."""
        to_masks, to_images = self.generators
        image_change = absolute_loss(images, to_images(images, training=True))
        mask_change = absolute_loss(targets, to_masks(masks, training=True), self.class_weights)
        return (self.identity_weight * (image_change + mask_change),)

    def _told_apart(self, images: Tensor, masks: Tensor, fake_images: Tensor, fake_masks: Tensor) -> Side:
        """Let the discriminators tell what is real from what is made now, or was once."""
        if self.pools:
            fakes = zip(self.pools, (fake_masks, fake_images), strict=True)
            fake_masks, fake_images = (pool(fake) for pool, fake in fakes)
        of_masks, of_images = self.discriminators
        with tf.GradientTape() as tape:
            losses = discriminator_losses(of_masks(masks, training=True), of_masks(fake_masks, training=True))
            losses += discriminator_losses(
                of_images(images, training=True), of_images(fake_images, training=True)
            )
            mean = scaled_mean(self.discriminator_optimizer, losses)
        return Side(tape.gradient(mean, trainable_weights(self.discriminators)), losses)

    def test_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Work out what an epoch is chosen by, and the Dice of the masks that the engine makes."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        masks = self(images, training=False)
        self.dice.update_state(targets, masks)
        if self.choose_by == "truth":
            return self.logs(self.dice, loss=self.mask_loss(targets, masks))
        _, to_images = self.generators
        return self.logs(self.dice, loss=absolute_loss(images, to_images(masks, training=False)))


class ImagePool(keras.layers.Layer):
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
        options = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        self.kept = self.add_weight((self.size, *shape), "zeros", dtype="float32", name="kept", **options)
        self.count = self.add_weight((), "zeros", dtype="int32", name="count", **options)
        self.draws = keras.random.SeedGenerator(0)

    def call(self, images: Tensor) -> Tensor:
        """Exchange a batch ``(batch_size, ..., C)``: what is returned back is not kept any longer."""
        images = ops.stop_gradient(ops.cast(images, "float32"))
        filling = self.count < self.size
        chosen = keras.random.shuffle(ops.arange(self.size), seed=self.draws)[: self.batch_size]
        places = ops.where(filling, self.count + ops.arange(self.batch_size), chosen)
        old = ops.take(self.kept, places, axis=0)
        coins = keras.random.uniform((self.batch_size,), seed=self.draws) < 0.5
        coins = ops.reshape(coins, (-1, *[1] * (len(images.shape) - 1)))
        kept = ops.where(ops.logical_or(filling, coins), images, old)
        returned = ops.where(ops.logical_and(ops.logical_not(filling), coins), old, images)
        self.kept.assign(ops.scatter_update(self.kept, places[:, None], kept))
        self.count.assign(ops.minimum(self.count + self.batch_size, self.size))
        return returned


def _check(to_masks: keras.Model, identity_weight: float, choose_by: str) -> None:
    if choose_by not in CRITERIA:
        raise UserError(f"train.engine.cycle.choose_by: {unknown('criterion', choose_by, CRITERIA)}")
    channels, classes = to_masks.input_shape[-1], to_masks.output_shape[-1]
    if identity_weight and channels != classes:
        raise UserError(
            f"train.engine.cycle.identity_weight is {identity_weight:g}, but images have {channels} channels "
            f"and masks {classes}, so that neither can be put through the generator of its own kind: set it "
            "to 0, or data.channels to the number of classes"
        )
