"""Whether one model does better than another on the same images, or whether chance would explain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kerasseg.metrics.bootstrap import draws, interval

FEWEST = 6  # of five, even one that wins on all of them has a p-value of 2 / 2**5 = 0.0625
SIGNIFICANT = 0.05
RESAMPLES = 9999


@dataclass(frozen=True)
class Difference:
    """What a model's scores differ by from another's on the same images.

    Attributes
    ----------
    images : int
        Those on which both have a score.
    better, worse : int
        On how many of them the score is higher, and lower.
    mean : float
        Of the differences; NaN where there is no image.
    interval : tuple of float, or None
        95 % of the mean, over images; None where they are too few.
    p_value : float or None
        How often the mean would be as far from 0 if on each image either model might as well have had the
        other's score.
    """

    images: int
    better: int
    worse: int
    mean: float
    interval: tuple[float, float] | None
    p_value: float | None

    @property
    def verdict(self) -> str:
        """Say in words whether it is more than chance."""
        if self.p_value is None:
            return f"too few images to tell: {self.images} of at least {FEWEST}"
        if self.p_value >= SIGNIFICANT:
            return "chance would explain it"
        return "better" if self.mean > 0 else "worse"


def difference(scores: Sequence[float], reference: Sequence[float], *, seed: int = 0) -> Difference:
    """Compare the scores of two models on the same images.

    Parameters
    ----------
    scores, reference : sequence of float
        (N,) of the model and of the one that it is compared with; NaN where an image has no score.
    seed : int
        Of what is drawn: the same scores always give the same answer.

    Returns
    -------
    Difference
        With the percentile bootstrap interval over images (Efron 1979, doi:10.1214/aos/1176344552), and the
        p-value of the sign-flip permutation test, which is exact for up to 13 images.
    """
    differences = np.asarray(scores, float) - np.asarray(reference, float)
    differences = differences[~np.isnan(differences)]
    count = len(differences)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    if count < FEWEST:
        mean = float(differences.mean()) if count else float("nan")
        return Difference(count, better, worse, mean, None, None)
    low, high = interval(draws(count, RESAMPLES, seed) @ differences / count)
    test = stats.permutation_test(
        (differences,),
        lambda sample, axis: sample.mean(axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        random_state=seed,
    )
    mean = float(differences.mean())
    return Difference(count, better, worse, mean, (float(low), float(high)), float(test.pvalue))
