"""What of the codes of many tiles is looked at where time grows faster than their number."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np

MOST_COMPARED = 2000  # tiles that silhouettes and t-SNE look at: both grow with the square
COMPONENTS = 50  # of codes, that t-SNE, silhouettes and the starts of k-means look at


def flat(codes: np.ndarray) -> np.ndarray:
    """Make each code a row: (N, ...) to (N, D) float32."""
    return np.ascontiguousarray(codes.reshape(len(codes), -1), np.float32)


def distinct(codes: np.ndarray) -> int:
    """Count the codes (N, D) that differ."""
    return len({code.tobytes() for code in codes})


def drawn(count: int, seed: int) -> np.ndarray:
    """Draw which of so many codes are compared: their places, rising; all where they are few."""
    if count <= MOST_COMPARED:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_COMPARED, replace=False))


def principal(codes: np.ndarray, seed: int) -> np.ndarray:
    """Bring codes (N, D) to their 50 principal components, if they have more."""
    from sklearn.decomposition import PCA

    if codes.shape[1] <= COMPONENTS:
        return codes
    return PCA(min(COMPONENTS, len(codes)), random_state=seed).fit_transform(codes)


def one_thread() -> AbstractContextManager:
    """Add in one order, so that the same comes out each time; threads that wait for busy cores cost more."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
