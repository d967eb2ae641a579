"""Learn from targets alone: the engine for images whose every pixel somebody has named."""

from __future__ import annotations

import keras

from kerasseg.metrics.streaming import Dice
from kerasseg.training.keras_speedups import fused, renewed
from kerasseg.training.losses import Loss, with_landscape


def supervised(
    model: keras.Model,
    *,
    loss: Loss,
    optimizer: keras.optimizers.Optimizer,
    threshold: float,
    activation: str,
    landscape: bool,
) -> keras.Model:
    """Make the engine that trains `model` to answer like its targets.

    Parameters
    ----------
    model : keras.Model
        From images ``(B, ..., C)`` to probabilities ``(B, ..., K)``, built under the scope of its devices. It
        stays uncompiled, so that its file holds nothing of the training.
    loss : callable
        One of `kerasseg.training.losses`, with its numbers filled in; ``val_loss`` is its mean over
        validation.
    optimizer : keras.optimizers.Optimizer
        Its arguments are used, and not itself: it may be made anywhere.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice that the history shows.
    landscape : bool
        Whether the last channel is the landscape of the objects, and of no class: it has a loss of its own,
        and no Dice.

    Returns
    -------
    keras.Model
        Compiled, for `kerasseg.training.loop.train`; it shares the weights of `model`.
    """
    with model.distribute_strategy.scope():
        engine = fused(model)
        dice = Dice(model.output_shape[-1] - landscape, threshold, activation)
        loss = with_landscape(loss) if landscape else loss
        optimizer = renewed(optimizer, engine.trainable_variables)
        engine.compile(optimizer, loss, metrics=[dice], jit_compile=False)
    return engine
