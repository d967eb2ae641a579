"""Labels as runs along the last axis: an object's size, box and centre are sums over a few of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """Stretches of one object along the last axis, in the order of their first pixels: arrays (R,)."""

    objects: np.ndarray  # int32 from 1
    starts: np.ndarray  # int64 index of the first pixel, the axes taken as one
    lengths: np.ndarray  # int64


def runs(labels: np.ndarray) -> Runs:
    """Find the runs of all objects.

    Parameters
    ----------
    labels : np.ndarray
        (..., X) int32, one id an object, 0 for background.

    Returns
    -------
    Runs
        None goes on from one row to the next.

    Examples
    --------
    >>> runs(np.array([[0, 7, 7], [7, 0, 2]], np.int32))
    Runs(objects=array([7, 7, 2], dtype=int32), starts=array([1, 3, 5]), lengths=array([2, 1, 1]))
    """
    flat = labels.ravel()
    begins = np.ones(labels.shape, bool)
    if flat.size:
        np.not_equal(flat[1:], flat[:-1], out=begins.ravel()[1:])
        begins[..., 0] = True
    starts = np.flatnonzero(begins)
    objects = flat[starts]
    kept = objects > 0
    return Runs(objects[kept], starts[kept], np.diff(starts, append=flat.size)[kept])
