"""How fast to go and when to stop, from nothing but the validation losses seen so far.

Keras' callbacks keep such knowledge in themselves, where a run that is killed loses it. These functions say
the same of any list of losses, so a resumed run goes on from its history alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MIN_DELTA = 1e-4
"""How much lower a loss must be for `plateau` to call it an improvement: Keras' default."""


def plateau(
    losses: Sequence[float],
    initial: float,
    epochs: int,
    *,
    patience: int,
    factor: float,
    minimum: float,
) -> float:
    """Learning rate of the next epoch, as ``keras.callbacks.ReduceLROnPlateau`` sets it.

    Parameters
    ----------
    losses : sequence of float
        Validation losses of the epochs so far.
    initial : float
        Learning rate of the first epoch.
    epochs : int
        Most epochs; of no account here.
    patience : int
        Epochs without an improvement after which the rate is multiplied by `factor`.
    factor : float
        Less than 1.
    minimum : float
        The rate never goes below it.

    Returns
    -------
    float
        The rate.
    """
    rate, best, waited = initial, math.inf, 0
    for loss in losses:
        waited += 1
        if loss < best - MIN_DELTA:
            best, waited = loss, 0
        elif waited >= patience and rate > minimum:
            rate, waited = max(rate * factor, minimum), 0
    return rate


def cosine(losses: Sequence[float], initial: float, epochs: int, *, warmup: int, minimum: float) -> float:
    """Learning rate of the next epoch: rising in equal steps, then half a cosine down to `minimum`.

    Parameters
    ----------
    losses : sequence of float
        Validation losses of the epochs so far; only their number counts.
    initial : float
        The highest rate.
    epochs : int
        Epochs of the whole training.
    warmup : int
        Epochs until the rate is `initial`.
    minimum : float
        What the rate would be in the epoch after the last.

    Returns
    -------
    float
        The rate.

    References
    ----------
    Loshchilov and Hutter, "SGDR", ICLR 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    epoch = len(losses)
    if epoch < warmup:
        return initial * (epoch + 1) / (warmup + 1)
    done = (epoch - warmup) / max(epochs - warmup, 1)
    return minimum + (initial - minimum) * (1 + math.cos(math.pi * done)) / 2


def step(
    losses: Sequence[float], initial: float, epochs: int, *, milestones: Sequence[float], factor: float
) -> float:
    """Learning rate of the next epoch: times `factor` at each milestone, as PyTorch's ``MultiStepLR``.

    Parameters
    ----------
    losses : sequence of float
        Validation losses of the epochs so far; only their number counts.
    initial : float
        Learning rate of the first epoch.
    epochs : int
        Epochs of the whole training.
    milestones : sequence of float
        Shares of the epochs, in [0, 1], after which the rate falls.
    factor : float
        Less than 1.

    Returns
    -------
    float
        The rate.
    """
    passed = sum(len(losses) >= milestone * epochs for milestone in milestones)
    return initial * factor**passed


def stop(losses: Sequence[float], *, patience: int, start_from_epoch: int) -> bool:
    """Whether ``keras.callbacks.EarlyStopping`` would have stopped by now.

    Parameters
    ----------
    losses : sequence of float
        Validation losses of the epochs so far.
    patience : int
        Epochs in a row without an improvement after which training stops.
    start_from_epoch : int
        Epochs before which nothing is looked at, counted from 0.

    Returns
    -------
    bool
        True from the epoch on at which patience ran out.
    """
    best, waited = math.inf, 0
    for epoch, loss in enumerate(losses):
        if epoch < start_from_epoch:
            continue
        waited += 1
        if loss < best:
            best, waited = loss, 0
        elif waited >= patience and epoch > 0:
            return True
    return False
