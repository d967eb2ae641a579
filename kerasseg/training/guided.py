"""Learn from targets, and from the image that is rebuilt from the answer: GU-Net.

A network chooses few pixels of an image, its key points, from which a kernel rebuilds the image. Beside the
loss, by which it learns to choose as its targets do, two others guide it: how far the number of points is
from a budget, and how unlike the rebuilt image is to the image.

References
----------
Banerjee et al., "Guided U-Net aided efficient image data storing with shape preservation", 2023.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasseg.errors import UserError, unknown
from kerasseg.metrics.streaming import Dice
from kerasseg.training.keras_speedups import fused, renewed
from kerasseg.training.losses import SIMILARITIES, Loss, Tensor, budget_loss, rebuilt, straight_through


def guided(
    model: keras.Model,
    *,
    loss: Loss,
    optimizer: keras.optimizers.Optimizer,
    threshold: float,
    activation: str,
    steps: int,
    weight: float,
    budget_weight: float,
    shape_weight: float,
    points: float,
    kernel: np.ndarray,
    ssim: str,
    slope: float,
    warmup: int,
) -> keras.Model:
    """Make the engine that trains `model` to choose the points from which its image can be rebuilt.

    It loses ``weight * loss + budget_weight * |n - n'| / pixels + shape_weight * (1 - SSIM)``, and in the
    first epochs the loss alone. ``val_loss`` is the sum in every epoch, so that epochs compare. The history
    shows how many points an image has, and how like the rebuilt image is to it.

    Parameters
    ----------
    model : keras.Model
        From grey images ``(B, Y, X, 1)`` to one probability ``(B, Y, X, 1)``, built under the scope of its
        devices. It stays uncompiled, so that its file holds nothing of the training.
    loss, optimizer, activation
        See `kerasseg.training.supervised.supervised`.
    threshold : float
        Probability from which on a pixel is a point.
    steps : int
        Steps in an epoch.
    weight, budget_weight, shape_weight : float
        Weights of the three.
    points : float
        n', the number of points wanted in an image as the network sees it; below 1 their share of its pixels.
    kernel : numpy.ndarray, (height, width)
        What rebuilds an image.
    ssim : {"global", "windowed"}
        Similarity: see `kerasseg.training.losses`.
    slope : float
        See `kerasseg.training.losses.straight_through`.
    warmup : int
        Epochs of the loss alone.

    Returns
    -------
    keras.Model
        Compiled, for `kerasseg.training.loop.train`; it shares the weights of `model`.

    Raises
    ------
    UserError
        If the network takes or gives anything but one channel of an image.
    """
    if ssim not in SIMILARITIES:
        raise UserError(unknown("SSIM", ssim, SIMILARITIES))
    shapes = (model.input_shape, model.output_shape)
    if any(len(each) != 4 or each[-1] != 1 for each in shapes):
        raise UserError(
            f"train.engine.guided: the network goes from {shapes[0]} to {shapes[1]}, and what is rebuilt is "
            "a grey image, from points of one class: set data.channels to 1, and name one class of images"
        )
    with model.distribute_strategy.scope():
        engine = GuidedModel(
            fused(model),
            loss=loss,
            choose=lambda probabilities: straight_through(probabilities, threshold, slope),
            rebuild=lambda chosen: rebuilt(chosen, kernel),
            similarity=SIMILARITIES[ssim],
            points=points,
            weights=(weight, budget_weight, shape_weight),
            warmup_steps=warmup * steps,
        )
        optimizer = renewed(optimizer, engine.trainable_variables)
        engine.compile(optimizer, metrics=[Dice(1, threshold, activation)], jit_compile=False)
    return engine


class GuidedModel(keras.Model):
    """A network whose answers are points, guided by the image that they rebuild; see `guided`."""

    def __init__(
        self,
        network: keras.Model,
        *,
        loss: Loss,
        choose: Callable[[Tensor], Tensor],
        rebuild: Callable[[Tensor], Tensor],
        similarity: Loss,
        points: float,
        weights: tuple[float, float, float],
        warmup_steps: int,
    ) -> None:
        super().__init__(network.inputs, network.outputs)
        self.mask_loss, self.choose, self.rebuild, self.similarity = loss, choose, rebuild, similarity
        self.budget, self.term_weights, self.warmup_steps = points, weights, warmup_steps
        self.points, self.ssim = keras.metrics.Mean("points"), keras.metrics.Mean("ssim")

    def compute_loss(
        self,
        x: Tensor,
        y: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Add the three terms up: the mean over a batch, of which each device has its share."""
        weight, budget_weight, shape_weight = self.term_weights
        chosen = self.choose(y_pred)
        ssim = self.similarity(self.rebuild(chosen), ops.cast(x, "float32"))
        guidance = budget_weight * budget_loss(chosen, self.budget) + shape_weight * (1.0 - ssim)
        if training:
            guidance *= ops.cast(self.optimizer.iterations >= self.warmup_steps, "float32")
        self.points.update_state(ops.sum(chosen, axis=(1, 2, 3)))
        self.ssim.update_state(ssim)
        losses = weight * self.mask_loss(y, y_pred) + guidance
        return ops.mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync
