"""How far probabilities are from a target: cross-entropies, overlaps, and the two combined.

Every loss takes a target ``(B, ..., K)``, uint8, of 0, 1 and `IGNORE`, and probabilities ``(B, ..., K)`` in
[0, 1], with any number of spatial axes, and gives one float32 number an image, ``(B,)``. Cross-entropies are
means over an image's pixels and classes. Overlaps sum over an image's pixels, one class at a time, and are
then means over classes. Pixels marked `IGNORE` take part in no sum, and an image that has no other pixels
costs nothing.

The functions that end in ``_loss`` are the mathematics; those in `LOSSES` fill in its numbers and return what
``model.compile`` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from kerasseg.classes import IGNORE

EPSILON = 1e-7
"""Probabilities stay this far from 0 and 1 before a logarithm, whose value and gradient so stay finite."""

Tensor = Any
Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy_loss(y_true: Tensor, y_pred: Tensor, beta: float, gamma: float = 0.0) -> Tensor:
    """``-mean(beta y (1 - p)^gamma log p + (1 - beta) (1 - y) p^gamma log(1 - p))``.

    Parameters
    ----------
    y_true : tensor (B, ..., K)
        0, 1, or `IGNORE`.
    y_pred : tensor (B, ..., K)
        Probabilities in [0, 1].
    beta : float
        Weight of the foreground; the background's is ``1 - beta``. At 0.5 this is half the plain
        cross-entropy.
    gamma : float
        How much less a pixel counts that is nearly right already; 0 is the weighted cross-entropy of [1]_, 2
        the focal loss of [2]_.

    Returns
    -------
    tensor (B,)
        float32.

    References
    ----------
    .. [1] Taghanaki et al., "Combo loss", 2019. https://doi.org/10.1016/j.compmedimag.2019.04.005
    .. [2] Lin et al., "Focal loss for dense object detection", 2017. https://doi.org/10.1109/ICCV.2017.324
    """
    y, p, counted = _prepare(y_true, y_pred)
    p = ops.clip(p, EPSILON, 1.0 - EPSILON)
    foreground, background = beta * y * ops.log(p), (1.0 - beta) * (1.0 - y) * ops.log(1.0 - p)
    if gamma:
        foreground, background = foreground * (1.0 - p) ** gamma, background * p**gamma
    return -_mean((foreground + background) * counted, counted)


def tversky_loss(y_true: Tensor, y_pred: Tensor, alpha: float, beta: float, smooth: float) -> Tensor:
    """``1 - (tp + smooth) / (tp + alpha fp + beta fn + smooth)``, of soft counts.

    Parameters
    ----------
    y_true : tensor (B, ..., K)
        0, 1, or `IGNORE`.
    y_pred : tensor (B, ..., K)
        Probabilities in [0, 1].
    alpha, beta : float
        Costs of a false positive and of a false negative.
    smooth : float
        Added above and below: where a class is neither present nor predicted the loss is 0.

    Returns
    -------
    tensor (B,)
        float32.

    References
    ----------
    Salehi et al., "Tversky loss function for image segmentation", 2017.
    https://doi.org/10.1007/978-3-319-67389-9_44
    """
    y, p, counted = _prepare(y_true, y_pred)
    tp = _sum_of_pixels(y * p)
    fp, fn = _sum_of_pixels(p * counted) - tp, _sum_of_pixels(y) - tp
    return ops.mean(1.0 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth), axis=-1)


def dice_loss(y_true: Tensor, y_pred: Tensor, smooth: float) -> Tensor:
    """``1 - (2 y p + smooth) / (y + p + smooth)``: `tversky_loss` where both mistakes cost a half.

    Parameters
    ----------
    y_true : tensor (B, ..., K)
        0, 1, or `IGNORE`.
    y_pred : tensor (B, ..., K)
        Probabilities in [0, 1].
    smooth : float
        Added above and below: where a class is neither present nor predicted the loss is 0.

    Returns
    -------
    tensor (B,)
        float32.
    """
    return tversky_loss(y_true, y_pred, alpha=0.5, beta=0.5, smooth=smooth / 2.0)


def combo(alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0) -> Loss:
    """``alpha * weighted cross-entropy + (1 - alpha) * Dice loss`` (Taghanaki et al. 2019).

    With ``beta = 0.5`` the first term is half the plain cross-entropy.
    """

    def combo(y_true: Tensor, y_pred: Tensor) -> Tensor:
        pixels, overlap = cross_entropy_loss(y_true, y_pred, beta), dice_loss(y_true, y_pred, smooth)
        return alpha * pixels + (1.0 - alpha) * overlap

    return combo


def bce() -> Loss:
    """The plain cross-entropy of every class against the rest."""

    def bce(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return 2.0 * cross_entropy_loss(y_true, y_pred, beta=0.5)

    return bce


def dice(smooth: float = 1.0) -> Loss:
    """`dice_loss`: one minus the soft Dice coefficient, image by image and class by class."""

    def dice(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return dice_loss(y_true, y_pred, smooth)

    return dice


def focal(gamma: float = 2.0, beta: float = 0.25) -> Loss:
    """Cross-entropy in which pixels nearly right count less (Lin et al. 2017: its alpha is `beta`)."""

    def focal(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return cross_entropy_loss(y_true, y_pred, beta, gamma)

    return focal


def tversky(alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> Loss:
    """`tversky_loss`: missing a pixel (`beta`) may cost more than adding one (`alpha`)."""

    def tversky(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return tversky_loss(y_true, y_pred, alpha, beta, smooth)

    return tversky


LOSSES: dict[str, Callable[..., Loss]] = {
    "combo": combo,
    "bce": bce,
    "dice": dice,
    "focal": focal,
    "tversky": tversky,
}


def _prepare(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Target without its ignored pixels, probabilities, and 1.0 where a pixel counts, all float32."""
    y, p = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    counted = ops.cast(y < IGNORE, "float32")
    return y * counted, p, counted


def _sum_of_pixels(values: Tensor) -> Tensor:
    return ops.sum(values, axis=tuple(range(1, len(values.shape) - 1)))


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values, axis=axes) / ops.maximum(ops.sum(counted, axis=axes), 1.0)
