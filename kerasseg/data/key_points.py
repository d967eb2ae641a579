"""Targets that are made from the images themselves: few pixels from which a kernel rebuilds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from kerasseg.compact.field import Field
from kerasseg.compact.keypoints import Kernel
from kerasseg.compact.pursuit import pursue
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import naming
from kerasseg.images.preprocessing import Preprocessing, normalise

WHITE = 65535  # of what a pursuit is given: whole numbers, of which black is 0


def with_key_points(
    sample: Sample, preprocessing: Preprocessing, target: str, points: float, kernel: Kernel
) -> Sample:
    """Return the sample annotated by its key points as class 1, and by nothing else.

    Parameters
    ----------
    sample : Sample
        A 2-D image.
    preprocessing : Preprocessing
        What images go through: to one channel, and not resized.
    target : str
        A name in `TARGETS`.
    points : float
        How many a pursuit chooses at most; below 1 their share of the pixels.
    kernel : Kernel
        What a pursuit rebuilds the image by.
    """
    choose = partial(TARGETS[target], points=points, kernel=kernel)
    return replace(sample, annotate=partial(_annotate, sample, preprocessing, choose), by_region=False)


def _annotate(
    sample: Sample, preprocessing: Preprocessing, choose: Callable[[np.ndarray], np.ndarray]
) -> Annotation:
    with naming(str(sample.image)):
        image = normalise(preprocessing.image(sample.read()))[..., 0]
    return Annotation(choose(image).astype(np.uint8))


def skeleton(image: np.ndarray, *, points: float, kernel: Kernel) -> np.ndarray:
    """Thin what is brighter than Otsu's threshold, whatever the number of points and the kernel.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X), float32
        In [0, 1].

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool

    References
    ----------
    Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984.
    https://doi.org/10.1145/357994.358023
    """
    from skimage.filters import threshold_otsu
    from skimage.morphology import skeletonize

    return skeletonize(image > threshold_otsu(image), method="zhang")


def pursuit(image: np.ndarray, *, points: float, kernel: Kernel) -> np.ndarray:
    """Choose the points whose kernels come nearest to the image: see `kerasseg.compact.pursuit`.

    Parameters and result are as of `skeleton`.
    """
    count = round(points * image.size) if points < 1 else int(points)
    stored = np.rint(image[..., None] * WHITE).astype(np.uint16)
    field = Field(stored, low=np.zeros(1), high=np.full(1, WHITE))
    chosen = np.zeros(image.size, bool)
    chosen[pursue(field, kernel, count, amplitude=1.0).index] = True
    return chosen.reshape(image.shape)


TARGETS: dict[str, Callable[..., np.ndarray]] = {"skeleton": skeleton, "pursuit": pursuit}
