"""Which of many masks are the same object, by the boxes around them.

As in the original (facebookresearch/segment-anything, `utils/amg.py`, Apache-2.0) a box is x0, y0, x1, y1 of
the first and the last pixel of a mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Measure how much a box has in common with others: intersection over union.

    Parameters
    ----------
    box : numpy.ndarray, shape (4,)
    boxes : numpy.ndarray, shape (N, 4)

    Returns
    -------
    numpy.ndarray, shape (N,), float64
        In [0, 1]; 0 for boxes without area, which lines of one pixel have.
    """
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common
    return common / np.maximum(union, np.finfo(float).tiny)


def suppress(boxes: np.ndarray, scores: Sequence[float], threshold: float) -> list[int]:
    """Keep the best of those that are the same by their boxes: non-maximum suppression.

    The same as `torchvision.ops.nms`.

    Parameters
    ----------
    boxes : numpy.ndarray, shape (N, 4)
    scores : sequence of float
        Which of two is better; the first one if they are equal.
    threshold : float
        Two are the same where their intersection over union is above this.

    Returns
    -------
    list of int
        Those that are kept, the best first.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    left = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[box_iou(boxes[best], boxes[left]) <= threshold]
    return kept
