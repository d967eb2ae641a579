"""Images of one stream beside masks of another: what learns to translate between them sees no true pair."""

from __future__ import annotations

import numpy as np

from kerasseg.data.stream import Stream
from kerasseg.errors import UserError


class Unpaired:
    """Endless batches of images and of masks that are not theirs; batch i is a function of the seeds and i.

    Parameters
    ----------
    images : Stream
        Gives the images; its targets are left out.
    masks : Stream
        Gives the targets; its images are left out. Where both are of the same samples, another seed.

    Attributes
    ----------
    batch_size, shape, channels, ids
        As of the streams, which agree in them.
    """

    def __init__(self, images: Stream, masks: Stream) -> None:
        _check_alike(images, masks)
        self.images, self.masks = images, masks
        self.batch_size, self.shape = images.batch_size, images.shape
        self.channels, self.ids = images.channels, masks.ids

    def __len__(self) -> int:
        """Count the batches in which every image is seen."""
        return len(self.images)

    def names(self, index: int) -> list[str]:
        """Name the samples of a batch: whose images, and whose masks."""
        return [*self.images.names(index), *self.masks.names(index)]

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Make a batch, from 0 without end: images and targets as of :meth:`Stream.batch`."""
        return self.images.batch(index)[0], self.masks.batch(index)[1]


def _check_alike(images: Stream, masks: Stream) -> None:
    if images.shape != masks.shape:
        raise UserError(
            f"data.unpaired: its masks are {masks.shape} and the images {images.shape}, which a batch does "
            "not hold together; set data.patch to a size for both"
        )
