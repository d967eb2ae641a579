"""Samples as arrays that batches are cut from, kept in memory as far as a budget goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasseg.data.sample import Sample
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.preprocessing import prepare, resize_mask

BUDGET = 2 << 30  # bytes


class Prepared:
    """Prepared images and masks by their sample's number.

    Parameters
    ----------
    samples : sequence of Sample
        What to read.
    channels, normalise, resize
        As ``channels``, ``method`` and ``size`` of :func:`kerasseg.images.preprocessing.prepare`.
    budget : int, default BUDGET
        Bytes to keep; what does not fit is read each time.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        channels: int | None,
        normalise: Normalisation,
        resize: tuple[int, int] | None,
        budget: int = BUDGET,
    ) -> None:
        self.samples, self.size = samples, None if resize is None else tuple(resize)
        self._how = {"channels": channels, "method": normalise, "size": self.size}
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._left = budget

    def sizes(self) -> list[tuple[int, ...]]:
        """Return the size of every prepared image, without reading any."""
        return [self.size or sample.size for sample in self.samples]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an image as :func:`prepare` does, and its mask; both read-only, and of any rank."""
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        pair = self._read(self.samples[index])
        needed = sum(array.nbytes for array in pair)
        if needed <= self._left:
            self._kept[index] = pair
            self._left -= needed
        return pair

    def _read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        image = prepare(sample.read(), **self._how, name=str(sample.image))
        mask = sample.annotate().mask
        return image, mask if self.size is None else resize_mask(mask, self.size)
