"""How much one image is like another, by measures that are often mistaken for each other.

Structural similarity (SSIM; Wang et al. 2004, doi:10.1109/TIP.2003.819861) compares means, variances and the
covariance: over whole images (`ssim_global`), or in a window around each pixel (`ssim_11`, the usual one, and
`ssim_paper`). Every measure takes images of one shape, (..., Y, X) of any number type, and averages over all
planes before the last two axes; `span` is the difference between white and black.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from kerasseg.errors import UserError

Filter = Callable[[np.ndarray], np.ndarray]

WINDOW = 11  # pixels along a side of the usual window
SIGMA = 1.5  # of its Gaussian weights
PAPER_WINDOW = 3  # of the GU-Net paper, by what its figures fit best


def mse(image: np.ndarray, other: np.ndarray, span: float = 1.0) -> float:
    """Mean squared error, in units of `span` squared."""
    return float((_difference(image, other, span) ** 2).mean())


def rmse(image: np.ndarray, other: np.ndarray, span: float = 1.0) -> float:
    """Root of the mean squared error of each plane, averaged over planes, in units of `span`."""
    return float(np.sqrt((_difference(image, other, span) ** 2).mean(axis=(-2, -1))).mean())


def ssim_global(image: np.ndarray, other: np.ndarray, span: float = 1.0) -> float:
    """SSIM with one mean and one variance for a whole plane, c1 = (0.01 span)^2 and c2 = (0.03 span)^2."""
    return _ssim(image, other, span, _plane_mean, (0.01**2, 0.03**2))


def ssim_11(image: np.ndarray, other: np.ndarray, span: float = 1.0) -> float:
    """SSIM in windows of 11 x 11 pixels with Gaussian weights, sigma 1.5, where the window lies inside.

    It is that of Wang et al., and of scikit-image's `structural_similarity` with ``gaussian_weights=True``,
    ``sigma=1.5`` and ``use_sample_covariance=False``.
    """

    def weighted(values: np.ndarray) -> np.ndarray:
        reach = (WINDOW // 2,) * 2
        return _inside(ndimage.gaussian_filter(values, SIGMA, radius=reach, axes=(-2, -1)), WINDOW)

    return _ssim(image, other, span, weighted, (0.01**2, 0.03**2))


def ssim_paper(image: np.ndarray, other: np.ndarray, span: float = 1.0) -> float:
    """SSIM as equation 5 of the GU-Net paper has it, taken by the letter: of a black image it is high.

    The constants are c1 = 0.01 L^2 and c2 = 0.03 L^2, not squared, with L = 2 spans, in windows of 3 x 3
    pixels of the same weight, where the window lies inside, with variances of a sample (8 in the
    denominator). The paper prints neither its window nor L: these are what its figures fit best.
    """
    size = PAPER_WINDOW

    def averaged(values: np.ndarray) -> np.ndarray:
        return _inside(ndimage.uniform_filter(values, size, axes=(-2, -1)), size)

    return _ssim(image, other, span, averaged, (0.01 * 2**2, 0.03 * 2**2), sample=size**2 / (size**2 - 1))


MEASURES = {
    "ssim_global": ssim_global,
    "ssim_11": ssim_11,
    "ssim_paper": ssim_paper,
    "rmse": rmse,
    "mse": mse,
}
WINDOWS = {"ssim_11": WINDOW, "ssim_paper": PAPER_WINDOW}
"""Measures that need an image of so many pixels along a side."""


def _ssim(
    image: np.ndarray,
    other: np.ndarray,
    span: float,
    average: Filter,
    constants: tuple[float, float],
    sample: float = 1,
) -> float:
    """Average (2 mx my + c1) (2 sxy + c2) / ((mx^2 + my^2 + c1) (sx + sy + c2)); `average` gives means.

    Variances and covariances are those of all pixels times `sample`.
    """
    _check_alike(image, other)
    x, y = (np.asarray(each, np.float64) / span for each in (image, other))
    c1, c2 = constants
    mean_x, mean_y = average(x), average(y)
    variances = np.maximum(average(x * x) - mean_x**2, 0) + np.maximum(average(y * y) - mean_y**2, 0)
    variances, covariance = sample * variances, sample * (average(x * y) - mean_x * mean_y)
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((likeness / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean())


def _plane_mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=(-2, -1))


def _inside(values: np.ndarray, window: int) -> np.ndarray:
    """Leave the pixels whose window lies inside the image."""
    if min(values.shape[-2:]) < window:
        raise UserError(
            f"an image of {values.shape[-2]} x {values.shape[-1]} pixels has no window of {window} x {window}"
            "; compare it by ssim_global"
        )
    rim = window // 2
    return values[..., rim : values.shape[-2] - rim, rim : values.shape[-1] - rim]


def _difference(image: np.ndarray, other: np.ndarray, span: float) -> np.ndarray:
    _check_alike(image, other)
    return (np.asarray(image, np.float64) - np.asarray(other, np.float64)) / span


def _check_alike(image: np.ndarray, other: np.ndarray) -> None:
    if np.shape(image) != np.shape(other) or np.ndim(image) < 2 or not np.size(image):
        raise UserError(
            f"images of shapes {np.shape(image)} and {np.shape(other)} were compared; expected one shape, "
            "(Y, X) or with planes before"
        )
