"""Codes without a network: how the intensities of a tile are spread."""

from __future__ import annotations

import numpy as np

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BINS = 16


def intensity_codes(tiles: np.ndarray) -> np.ndarray:
    """Describe tiles by their intensities alone: the baseline that a learnt code must beat.

    Parameters
    ----------
    tiles : numpy.ndarray, shape (B, Y, X, C), float32 in [0, 1]

    Returns
    -------
    numpy.ndarray, shape (B, 1, 1, 25 * C), float32 in [0, 1]
        For each channel its mean, its standard deviation, its 1st, 5th, 25th, 50th, 75th, 95th and 99th
        percentiles, and the share of its pixels in each of 16 equal ranges.
    """
    values = np.moveaxis(tiles, -1, 1).reshape(len(tiles), tiles.shape[-1], -1)  # (B, C, pixels)
    moments = np.stack([values.mean(axis=-1), values.std(axis=-1)], axis=-1)
    percentiles = np.moveaxis(np.percentile(values, PERCENTILES, axis=-1), 0, -1)
    codes = np.concatenate([moments, percentiles, _histogram(values)], axis=-1)
    return codes.reshape(len(tiles), 1, 1, -1).astype(np.float32)


def _histogram(values: np.ndarray) -> np.ndarray:
    bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    rows = np.arange(bins.size // bins.shape[-1])[:, None]
    counts = np.bincount((bins.reshape(len(rows), -1) + rows * BINS).ravel(), minlength=len(rows) * BINS)
    return counts.reshape(*bins.shape[:-1], BINS) / bins.shape[-1]
