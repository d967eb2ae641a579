"""How far probabilities are from a target: cross-entropies, overlaps, and what guides or adversaries add.

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

import numpy as np
from keras import ops

from kerasseg.errors import UserError
from kerasseg.images.masks import IGNORE
from kerasseg.postprocess.splitting import HIGHEST

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


def straight_through(y_pred: Tensor, threshold: float, slope: float) -> Tensor:
    """``1 where p >= threshold, else 0``, with the gradient of ``sigmoid(slope (p - threshold))``.

    The step itself has the gradient 0 everywhere: what is computed from chosen points would teach nothing.

    Parameters
    ----------
    y_pred : tensor
        Probabilities.
    threshold : float
        From which on a pixel is chosen.
    slope : float
        Of the sigmoid, in each unit of probability.

    Returns
    -------
    tensor
        float32, of the same shape: 0 and 1.

    References
    ----------
    Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic neurons for
    conditional computation", 2013, arXiv:1308.3432.
    """
    y_pred = ops.cast(y_pred, "float32")
    soft = ops.sigmoid(slope * (y_pred - threshold))
    return ops.cast(y_pred >= threshold, "float32") + (soft - ops.stop_gradient(soft))


def rebuilt(points: Tensor, kernel: np.ndarray) -> Tensor:
    """``min(points * kernel, 1)``: the image that a kernel makes of chosen points.

    Parameters
    ----------
    points : tensor (B, Y, X, 1)
        0 and 1.
    kernel : numpy.ndarray, (height, width)
        Both odd; symmetric, as convolution and correlation are taken for one.

    Returns
    -------
    tensor (B, Y, X, 1)
        float32; beyond the image there are no points.
    """
    return ops.minimum(ops.conv(points, kernel[..., None, None].astype("float32"), padding="same"), 1.0)


def budget_loss(points: Tensor, budget: float) -> Tensor:
    """``|n - n'| / pixels``: how far the number of points is from the one wanted.

    Parameters
    ----------
    points : tensor (B, Y, X, 1)
        0 and 1.
    budget : float
        n', the number of points wanted; below 1 their share of the pixels.

    Returns
    -------
    tensor (B,)
        float32.

    References
    ----------
    Banerjee et al., "Guided U-Net aided efficient image data storing with shape preservation", 2023; it does
    not divide, and does not say whether n' is of points or per cent.
    """
    pixels = ops.cast(ops.size(points[0]), "float32")
    wanted = budget if budget < 1 else budget / pixels
    return ops.abs(ops.mean(points, axis=(1, 2, 3)) - wanted)


def similarity_global(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of whole images: one mean, variance and covariance each.

    Parameters
    ----------
    x, y : tensor (B, Y, X, 1)
        In [0, 1].

    Returns
    -------
    tensor (B,)
        float32, at most 1.

    References
    ----------
    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, equation
    13. https://doi.org/10.1109/TIP.2003.819861
    """
    return _similarity(x, y, lambda values: ops.mean(values, axis=(1, 2, 3)))


def similarity_windowed(x: Tensor, y: Tensor) -> Tensor:
    """Mean structural similarity of windows of 11 x 11 pixels, weighted by a Gaussian of 1.5 pixels.

    Windows that reach beyond the image are left out. Parameters, result and source as `similarity_global`;
    the images are of at least 11 pixels a side.
    """
    along = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * 1.5**2)).astype("float32")
    along /= along.sum()

    def weighted(values: Tensor) -> Tensor:
        return ops.conv(ops.conv(values, along[:, None, None, None]), along[None, :, None, None])

    return ops.mean(_similarity(x, y, weighted), axis=(1, 2, 3))


SIMILARITIES = {"global": similarity_global, "windowed": similarity_windowed}
WINDOW = 11  # pixels


def _similarity(x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
    """Structural similarity by any kind of mean, of images in [0, 1].

    Rounding makes variances of flat windows negative, and then the gradient not a number: they end at 0.
    """
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = mean(x), mean(y)
    variances = sum(ops.maximum(mean(v * v) - m * m, 0.0) for v, m in ((x, mean_x), (y, mean_y)))
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2.0 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return luminance * (2.0 * covariance + c2) / (variances + c2)


def with_landscape(loss: Loss) -> Loss:
    """Add the cross-entropy of a last channel, the landscape, to a loss of all others.

    Parameters
    ----------
    loss : callable
        Of the classes' channels.

    Returns
    -------
    callable
        Of targets whose last channel is 0 to `HIGHEST`, or `IGNORE`, and of probabilities with one channel
        more than the classes.
    """

    def with_landscape(y_true: Tensor, y_pred: Tensor) -> Tensor:
        heights = ops.cast(y_true[..., -1:], "float32")
        heights = ops.where(heights < IGNORE, heights / HIGHEST, heights)
        of_landscape = 2.0 * cross_entropy_loss(heights, y_pred[..., -1:], beta=0.5)
        return loss(y_true[..., :-1], y_pred[..., :-1]) + of_landscape

    return with_landscape


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
