"""Samples as arrays that batches are cut from, kept in memory as far as a budget goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasseg.data.sample import Sample
from kerasseg.errors import UserError
from kerasseg.images.channels import with_channels
from kerasseg.images.normalise import normalise
from kerasseg.images.resize import resize, resize_mask

BUDGET = 2 << 30  # bytes


def prepare(
    image: np.ndarray, *, channels: int | None, method: str, size: tuple[int, int] | None, name: str
) -> np.ndarray:
    """Bring an image as stored to channels, intensities and size that a model takes, in this order.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C), uint8, uint16 or float32
        As stored.
    channels : int or None
        Channels wanted; None keeps them.
    method : {"dtype", "minmax", "percentile"}
        How intensities come into [0, 1].
    size : tuple of int or None
        Height and width wanted; None keeps them.
    name : str
        The file, for the messages.

    Returns
    -------
    numpy.ndarray, shape (Y, X, C)
        float32 in [0, 1]; but uint8 stays uint8 where dividing by 255 is all that is left to do: a quarter of
        the memory, and faster to augment.

    Raises
    ------
    UserError
        If the channels or the intensities do not fit.
    """
    grey = image.shape[2] == 1  # repeated last: the same numbers for a third of the work
    image = image if grey else with_channels(image, channels, name)
    if image.dtype != np.uint8 or method != "dtype":
        try:
            image = normalise(image, method)
        except UserError as error:
            raise UserError(*(f"{name}: {message}" for message in error.messages)) from error
    image = image if size is None else resize(image, size)
    return with_channels(image, channels, name) if grey else image


class Prepared:
    """Prepared images and masks by their sample's number.

    Parameters
    ----------
    samples : sequence of Sample
        What to read.
    channels, normalise, resize
        As ``channels``, ``method`` and ``size`` of :func:`prepare`.
    budget : int, default BUDGET
        Bytes to keep; what does not fit is read each time.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        channels: int | None,
        normalise: str,
        resize: tuple[int, int] | None,
        budget: int = BUDGET,
    ) -> None:
        self.samples, self.size = samples, None if resize is None else tuple(resize)
        self._how = {"channels": channels, "method": normalise, "size": self.size}
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._left = budget

    def sizes(self) -> list[tuple[int, int]]:
        """Return height and width of every prepared image, without reading any."""
        return [self.size or sample.size for sample in self.samples]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an image ``(Y, X, C)``, as :func:`prepare` does, and its mask ``(Y, X)``; both read-only."""
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
