"""What Segment Anything found: one record an object, its mask as run lengths.

The fields are those of the original's records (facebookresearch/segment-anything,
`automatic_mask_generator.py`, Apache-2.0), which always gives masks as whole images unless asked not to; here
they are always runs, so that a thousand objects of a large image cost no more than their outlines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasseg.annotations import rle

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Found:
    """One object.

    Attributes
    ----------
    segmentation : tuple of int
        Runs of `kerasseg.annotations.rle`: start, length, start, length, ... row by row, from 1.
    size : tuple of int
        Height and width of the image.
    area : int
        Pixels of the mask.
    bbox : tuple of int
        x, y, width and height from the centre of the first to the centre of the last pixel, as the original
        has them: one less than the pixels are many.
    predicted_iou : float
        How good the network says the mask is: its intersection over union with the true one.
    point_coords : tuple of float
        The point (x, y) for which the network gave the mask.
    stability_score : float
        How little the mask depends on where the network's answer is cut, in [0, 1].
    crop_box : tuple of int
        x, y, width and height of the part of the image at which the network looked.
    """

    segmentation: tuple[int, ...]
    size: tuple[int, int]
    area: int
    bbox: Box
    predicted_iou: float
    point_coords: tuple[float, float]
    stability_score: float
    crop_box: Box

    @property
    def pixels(self) -> np.ndarray:
        """Where its pixels lie in the image's values row by row: (N,) int64."""
        return rle.pixels(self.segmentation, self.size)

    @property
    def mask(self) -> np.ndarray:
        """The mask: (Y, X) bool."""
        return rle.decode(self.segmentation, self.size)

    @property
    def box(self) -> Box:
        """First and last pixel: x0, y0, x1, y1."""
        x, y, width, height = self.bbox
        return x, y, x + width, y + height


def runs(rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> tuple[int, ...]:
    """Write pixels as runs, at the cost of the object and not of the image.

    Parameters
    ----------
    rows, columns : numpy.ndarray, shape (N,), int64
        Where the pixels lie, row by row; at least one.
    size : tuple of int
        Height and width of the image.

    Returns
    -------
    tuple of int
        What `kerasseg.annotations.rle.encode_labels` gives for the mask.
    """
    along = rows * size[1] + columns
    first = np.flatnonzero(np.diff(along, prepend=-2) != 1)
    lengths = np.diff(first, append=along.size)
    return tuple(np.stack([along[first] + 1, lengths], axis=1).ravel().tolist())


def box_of(rows: np.ndarray, columns: np.ndarray) -> Box:
    """Find the box around pixels, as in :class:`Found`: x, y, width, height."""
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) - x, int(rows.max()) - y
