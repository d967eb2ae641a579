"""A reviewer that is simulated: accepts what overlaps the truth enough, rejects the rest, and fixes nothing.

In experiments it sits where a person does. It is stricter than they are in one way, as it looks at every
pixel, and duller in another, as it never mends a proposal that is nearly right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kerasseg.metrics import pixel

LEAST_IOU = 0.8


class Review(NamedTuple):
    """What became of proposals: names of tiles, in their order."""

    accepted: list[str]
    rejected: list[str]


def accepts(proposed: np.ndarray, true: np.ndarray, iou: float = LEAST_IOU) -> bool:
    """Tell whether a proposed mask overlaps the true one enough.

    Parameters
    ----------
    proposed, true : numpy.ndarray, shape (Y, X), uint8
        Class ids; all classes count as foreground. Where the truth is 255 (ignore) nothing is looked at.
    iou : float, default 0.8
        Least foreground IoU, in [0, 1]. Nothing proposed where there is nothing is an agreement.
    """
    counts = pixel.count_foreground(true, proposed)
    nothing = counts.tp + counts.fp + counts.fn == 0
    return bool(nothing[0] or pixel.iou(counts)[0] >= iou)


def review(
    proposed: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], iou: float = LEAST_IOU
) -> Review:
    """Accept or reject each tile's proposal.

    Parameters
    ----------
    proposed, true : mapping of str to numpy.ndarray
        Masks by the tiles' names, as :func:`accepts` takes them; a true one for each proposed one.
    iou : float, default 0.8
        Least foreground IoU.
    """
    found = Review([], [])
    for name, mask in proposed.items():
        (found.accepted if accepts(mask, true[name], iou) else found.rejected).append(name)
    return found
