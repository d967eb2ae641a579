"""How good the images are that a kernel rebuilds from a model's key points."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from kerasseg.compact.kernels import spread
from kerasseg.compact.keypoints import Kernel
from kerasseg.metrics.similarity import MEASURES, WINDOW

Scores = dict[str, dict[str, float]]
"""From a row, the model's or one to compare it with, to the points and the measures."""


def rebuilt(points: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Rebuild an image in [0, 1] from its points: (Y, X) of 0 and 1 to (Y, X) float64."""
    return np.minimum(spread(points.astype(np.float64), kernel), 1.0)


def score(image: np.ndarray, points: np.ndarray, kernel: Kernel) -> Scores:
    """Compare an image with what is rebuilt from its points, with black and with one bit a pixel.

    The last two are what any choice of points has to be better than.

    Parameters
    ----------
    image : np.ndarray
        (Y, X) float32 in [0, 1].
    points : np.ndarray
        (Y, X) of 0 and 1.
    kernel : Kernel

    Returns
    -------
    dict
        ``points``, ``share`` of the pixels, and `kerasseg.metrics.similarity.MEASURES`, for ``model``,
        ``black`` and ``bitmap``, whose points are the white pixels; windows are left out of small images.
    """
    bitmap = image > 0.5
    rows = {
        "model": (int(np.count_nonzero(points)), rebuilt(points, kernel)),
        "black": (0, np.zeros_like(image)),
        "bitmap": (int(np.count_nonzero(bitmap)), bitmap),
    }
    windowed = min(image.shape) >= WINDOW
    names = [name for name in MEASURES if windowed or name in ("ssim_global", "rmse", "mse")]
    return {
        row: {"points": count, "share": count / image.size}
        | {name: MEASURES[name](image, other) for name in names}
        for row, (count, other) in rows.items()
    }


def averages(scores: Sequence[Scores]) -> Scores:
    """Average every row over images, each measure over those that have it."""
    return {
        row: {
            name: fmean(of[row][name] for of in scores if name in of[row])
            for name in max((of[row] for of in scores), key=len)
        }
        for row in scores[0]
    }
