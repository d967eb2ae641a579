"""How far probabilities are from a target: cross-entropies, overlaps, and what adversaries add to them.

Every loss takes a target ``(B, ..., K)``, uint8, of 0, 1 and `IGNORE`, and probabilities ``(B, ..., K)`` in
[0, 1], with any number of spatial axes, and gives one float32 number an image, ``(B,)``. Cross-entropies are
means over an image's pixels and classes. Overlaps sum over an image's pixels, one class at a time, and are
then means over classes. Pixels marked `IGNORE` take part in no sum, and an image that has no other pixels
costs nothing.

``class_weights`` multiply each channel's part before that mean: one number a channel of the probabilities
(with softmax the background's first), and ones are the same as none. A paper that *sums* weighted losses of
K classes has K times these values.

The functions that end in ``_loss`` are the mathematics. Those that a recipe names, `combo` and so on, fill in
its numbers, and return what ``model.compile`` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from kerasseg.errors import UserError
from kerasseg.images.masks import IGNORE

EPSILON = 1e-7
"""Probabilities stay this far from 0 and 1 before a logarithm, whose value and gradient so stay finite."""

Tensor = Any
Shape = tuple[int | None, ...]
Loss = Callable[[Tensor, Tensor], Tensor]
Weights = Sequence[float] | None


def cross_entropy_loss(
    y_true: Tensor, y_pred: Tensor, beta: float, gamma: float = 0.0, class_weights: Weights = None
) -> Tensor:
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
    class_weights : sequence of float, optional
        What each channel's part is multiplied by.

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
    return -_mean((foreground + background) * counted * _weights(class_weights, p), counted)


def tversky_loss(
    y_true: Tensor, y_pred: Tensor, alpha: float, beta: float, smooth: float, class_weights: Weights = None
) -> Tensor:
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
    class_weights : sequence of float, optional
        What each channel's part is multiplied by.

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
    wrong = alpha * fp + beta * fn
    each = wrong / ops.maximum(tp + wrong + smooth, EPSILON)  # 0 where nothing counts, also without smooth
    return ops.mean(each * _weights(class_weights, p), axis=-1)


def dice_loss(y_true: Tensor, y_pred: Tensor, smooth: float, class_weights: Weights = None) -> Tensor:
    """``1 - (2 y p + smooth) / (y + p + smooth)``: `tversky_loss` where both mistakes cost a half.

    Parameters
    ----------
    y_true : tensor (B, ..., K)
        0, 1, or `IGNORE`.
    y_pred : tensor (B, ..., K)
        Probabilities in [0, 1].
    smooth : float
        Added above and below: where a class is neither present nor predicted the loss is 0.
    class_weights : sequence of float, optional
        What each channel's part is multiplied by.

    Returns
    -------
    tensor (B,)
        float32.
    """
    return tversky_loss(y_true, y_pred, 0.5, 0.5, smooth / 2.0, class_weights)


def combo(*, alpha: float, beta: float, smooth: float, class_weights: Weights) -> Loss:
    """``alpha * weighted cross-entropy + (1 - alpha) * Dice loss`` (Taghanaki et al. 2019).

    With ``beta = 0.5`` the first term is half the plain cross-entropy.
    """

    def combo(y_true: Tensor, y_pred: Tensor) -> Tensor:
        pixels = cross_entropy_loss(y_true, y_pred, beta, class_weights=class_weights)
        overlap = dice_loss(y_true, y_pred, smooth, class_weights)
        return alpha * pixels + (1.0 - alpha) * overlap

    return combo


def bce(*, class_weights: Weights) -> Loss:
    """The plain cross-entropy of every class against the rest."""

    def bce(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return 2.0 * cross_entropy_loss(y_true, y_pred, beta=0.5, class_weights=class_weights)

    return bce


def dice(*, smooth: float, class_weights: Weights) -> Loss:
    """`dice_loss`: one minus the soft Dice coefficient, image by image and class by class."""

    def dice(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return dice_loss(y_true, y_pred, smooth, class_weights)

    return dice


def focal(*, gamma: float, beta: float, class_weights: Weights) -> Loss:
    """Cross-entropy in which pixels nearly right count less (Lin et al. 2017: its alpha is `beta`)."""

    def focal(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return cross_entropy_loss(y_true, y_pred, beta, gamma, class_weights)

    return focal


def tversky(*, alpha: float, beta: float, smooth: float, class_weights: Weights) -> Loss:
    """`tversky_loss`: missing a pixel (`beta`) may cost more than adding one (`alpha`)."""

    def tversky(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return tversky_loss(y_true, y_pred, alpha, beta, smooth, class_weights)

    return tversky


def least_squares_loss(scores: Tensor, wanted: float) -> Tensor:
    """``mean((scores - wanted)^2)``: a discriminator's mistake, or what a generator has yet to feign.

    Parameters
    ----------
    scores : tensor (B, ..., 1)
        What a discriminator says of each patch, of any range.
    wanted : float
        1 for what is to be called real, 0 for what is to be called fake.

    Returns
    -------
    tensor (B,)
        float32.

    References
    ----------
    Mao et al., "Least squares generative adversarial networks", 2017, equation 9, without its factor of a
    half, as Zhu et al. have it. https://doi.org/10.1109/ICCV.2017.304
    """
    scores = ops.cast(scores, "float32")
    return ops.mean((scores - wanted) ** 2, axis=tuple(range(1, len(scores.shape))))


def absolute_loss(y_true: Tensor, y_pred: Tensor, class_weights: Weights = None) -> Tensor:
    """``2 mean(|y - p|)``: the L1 distance of CycleGAN's cycles and identities.

    CycleGAN has its images in [-1, 1], ours are in [0, 1]: the factor 2 makes the distance, and so the
    weights beside it, those of the paper.

    Parameters
    ----------
    y_true : tensor (B, ..., C)
        Intensities in [0, 1], or a target of 0, 1 and `IGNORE`.
    y_pred : tensor (B, ..., C)
        In [0, 1].
    class_weights : sequence of float, optional
        What each channel's part is multiplied by.

    Returns
    -------
    tensor (B,)
        float32.

    References
    ----------
    Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", 2017,
    equation 2. https://doi.org/10.1109/ICCV.2017.244
    """
    y, p, counted = _prepare(y_true, y_pred)
    return 2.0 * _mean(ops.abs(y - p) * counted * _weights(class_weights, p), counted)


def _prepare(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Target without its ignored pixels, probabilities, and 1.0 where a pixel counts, all float32."""
    y, p = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    counted = ops.cast(y < IGNORE, "float32")
    return y * counted, p, counted


def _weights(class_weights: Weights, y_pred: Tensor) -> Tensor:
    """What multiplies each channel, (K,); 1 where nothing was said."""
    if class_weights is None:
        return 1.0
    if len(class_weights) != y_pred.shape[-1]:
        raise UserError(
            f"class_weights has {len(class_weights)} numbers and there are {y_pred.shape[-1]} channels of "
            "probabilities: give one number for each class (with softmax, the background's first)"
        )
    return ops.convert_to_tensor(class_weights, "float32")


def _sum_of_pixels(values: Tensor) -> Tensor:
    return ops.sum(values, axis=tuple(range(1, len(values.shape) - 1)))


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values, axis=axes) / ops.maximum(ops.sum(counted, axis=axes), 1.0)
