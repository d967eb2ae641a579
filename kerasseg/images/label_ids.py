"""Labels whose ids lie far apart, renumbered: a table by number is no longer than its image."""

from __future__ import annotations

import numpy as np


def consecutive(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number objects in the order of their ids, so that no id is larger than there are pixels.

    Ids that lie close together stay next to each other with their gaps, which is far cheaper than to close
    them; all others are numbered 1..N.

    Parameters
    ----------
    labels : numpy.ndarray, shape (...), integer
        Instance ids of any size, 0 for background, none negative.

    Returns
    -------
    ids : numpy.ndarray, shape (M + 1,)
        The id of each number, whether an object has it or not; ``ids[0]`` is 0, the background's.
    numbers : numpy.ndarray, shape (...), integer
        ``ids[numbers]`` are the labels; this may be `labels` itself.

    Examples
    --------
    >>> consecutive(np.array([[7, 0], [2_000_000_000, 7]]))
    (array([         0,          7, 2000000000]), array([[1, 0],
           [2, 1]]))
    """
    highest = int(labels.max(initial=0))
    lowest = 1 if highest <= labels.size // 8 else max(1, int(labels.min(where=labels > 0, initial=highest)))
    if highest - lowest < labels.size:
        ids = np.arange(lowest - 1, highest + 1)
        ids[0] = 0
        return ids, labels if lowest == 1 else np.where(labels > 0, labels - (lowest - 1), 0)
    ids, numbers = np.unique(np.append(labels, 0), return_inverse=True)
    return ids, numbers[:-1].reshape(labels.shape)
