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

import keras
import tensorflow as tf

from kerasseg.errors import UserError, unknown
from kerasseg.training.contest import REAL, Contest, duel, gradients_in_turn, mean_for, seen, weights
from kerasseg.training.losses import Loss, Shape, Tensor, absolute_loss, least_squares_loss
from kerasseg.training.normalization import fused
from kerasseg.training.pool import Pool

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

    A discriminator D loses ``(D(real) - 1)^2 + D(made)^2``. The generators lose ``(D(made) - 1)^2`` on both
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
        If there are identities to compare and channels differ, or the criterion is unknown.
    """
    _check(to_masks, identity_weight, choose_by)
    strategy = to_masks.distribute_strategy
    with strategy.scope():
        kinds = (to_masks, to_images) if replay else ()
        here = batch_size // strategy.num_replicas_in_sync
        pools = [Pool((*shape, kind.output_shape[-1]), batch_size=here, size=replay) for kind in kinds]
        return Cycle(
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
            shown=("loss", "generator_loss", "discriminator_loss"),
            threshold=threshold,
            activation=activation,
        )


class Cycle(Contest):
    """Two generators that undo each other, two discriminators that tell them from the truth; see `cycle`."""

    def __init__(
        self,
        *networks: list[keras.Model],
        pools: Sequence[Pool],
        loss: Loss,
        cycle_weight: float,
        identity_weight: float,
        class_weights: Sequence[float] | None,
        choose_by: str,
        **contest,
    ) -> None:
        super().__init__(*networks, **contest)
        self.pools, self.distance, self.choose_by = pools, loss, choose_by
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.class_weights = class_weights

    def train_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Take a step on each side: the generators' gradient in three parts, then the discriminators'."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        masks = seen(targets, targets)
        (to_masks, to_images), (of_masks, of_images) = self.generators, self.discriminators
        parts = [
            lambda: self._there_and_back(images, images, to_masks, of_masks, to_images),
            lambda: self._there_and_back(masks, targets, to_images, of_images, to_masks, self.class_weights),
        ]
        if self.identity_weight:
            parts.append(lambda: (self._identities(images, masks, targets),))
        mine, results = gradients_in_turn(parts, weights(self.generators), self.optimizer)
        (of_generators, made_masks, distance), (more, made_images, _), *identities = results

        with tf.GradientTape() as tape:
            losses = duel(of_masks, masks, self._past(0, made_masks))
            losses += duel(of_images, images, self._past(1, made_images))
            of_both = mean_for(self.discriminator_optimizer, losses)
        theirs = tape.gradient(of_both, weights(self.discriminators))

        generator_loss = of_generators + more + sum(part[0] for part in identities)
        self.step(mine, theirs, generator_loss, losses)
        return self.tell(loss=distance, generator_loss=generator_loss, discriminator_loss=losses)

    def test_step(self, data: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Work out what the engine is chosen by, and the Dice of the masks that it makes."""
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        masks = self(images, training=False)
        self.dice.update_state(targets, masks)
        if self.choose_by == "truth":
            return self.tell(self.dice, loss=self.distance(targets, masks))
        _, to_images = self.generators
        return self.tell(self.dice, loss=absolute_loss(images, to_images(masks, training=False)))

    def _there_and_back(
        self,
        real: Tensor,
        target: Tensor,
        there: keras.Model,
        judge: keras.Model,
        back: keras.Model,
        class_weights: Sequence[float] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What a translation and its way back lose, the translation, and the distance from `target`."""
        made = there(real, training=True)
        distance = absolute_loss(target, back(made, training=True), class_weights)
        feigned = least_squares_loss(judge(made, training=True), REAL)
        return feigned + self.cycle_weight * distance, made, distance

    def _identities(self, images: Tensor, masks: Tensor, targets: Tensor) -> Tensor:
        """What generators lose where they change what is of the kind that they make already."""
        to_masks, to_images = self.generators
        of_images = absolute_loss(images, to_images(images, training=True))
        of_masks = absolute_loss(targets, to_masks(masks, training=True), self.class_weights)
        return self.identity_weight * (of_images + of_masks)

    def _past(self, kind: int, made: Tensor) -> Tensor:
        """Translations to show to a discriminator: those of now and, with replay, of the past."""
        return self.pools[kind](made) if self.pools else made


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
