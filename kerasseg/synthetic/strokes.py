"""SYNTHETIC strokes: digits drawn as a pen would, in the form of MNIST, for where that is missing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kerasseg.synthetic.origin import synthetic_folder

SIDE = 28  # pixels
SUBPIXELS = 4  # of which each pixel is the mean
BOX = 18  # pixels: height of a digit
POINTS = {
    0: [(3, 0), (0, 3), (0, 7), (3, 10), (6, 7), (6, 3), (3, 0)],
    1: [(1, 2), (4, 0), (4, 10)],
    2: [(0, 2), (3, 0), (6, 2), (5, 5), (0, 10), (6, 10)],
    3: [(0, 1), (4, 0), (6, 2), (3, 5), (6, 7), (4, 10), (0, 9)],
    4: [(3, 0), (0, 6), (6, 6), (5, 3), (5, 10)],
    5: [(6, 0), (1, 0), (0, 5), (4, 4), (6, 7), (3, 10), (0, 9)],
    6: [(5, 0), (1, 4), (0, 8), (3, 10), (6, 8), (4, 5), (1, 7)],
    7: [(0, 0), (6, 0), (2, 10)],
    8: [(3, 5), (1, 2), (3, 0), (5, 2), (3, 5), (0, 8), (3, 10), (6, 8), (3, 5)],
    9: [(6, 3), (3, 5), (1, 2), (3, 0), (6, 2), (5, 10)],
}
"""Corners (x, y) of each digit's stroke, in a box of 6 x 10."""


def synthesize(root: Path, *, images: int = 6000, seed: int = 0) -> None:
    """Write ``strokes.npz`` with `images` and `labels`, and a marker that keeps their origin known.

    Parameters
    ----------
    root : Path
        The folder to appear, complete or not at all; an empty one may be there.
    images : int, default 6000
        How many, 28 x 28 uint8.
    seed : int, default 0
        The same seed writes the same images.

    Raises
    ------
    UserError
        If there is anything in `root`, or it cannot be written.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, images).astype(np.uint8)
    strokes = np.stack([stroke(int(digit), rng) for digit in labels])
    with synthetic_folder(root, f"{images} synthetic strokes, seed {seed}; nobody wrote them.") as folder:
        np.savez_compressed(folder / "strokes.npz", images=strokes, labels=labels)


def stroke(digit: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a digit, turned, sheared, stretched and written with a pen of some width.

    Returns
    -------
    numpy.ndarray, shape (28, 28), uint8
        Black with a white stroke, grey at its edge.
    """
    corners = (np.array(POINTS[digit], float) - (3, 5)) * BOX / 10
    corners += rng.normal(0, 0.6, corners.shape)
    angle, shear, stretch = rng.normal(0, 0.15), rng.normal(0, 0.15), rng.uniform(0.8, 1.1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = corners * stretch @ (turn @ [[1, shear], [0, 1]]).T + SIDE / 2
    canvas = np.zeros((SIDE * SUBPIXELS, SIDE * SUBPIXELS), np.uint8)
    points = np.rint(placed * SUBPIXELS).astype(np.int32)
    cv2.polylines(canvas, [points], digit == 0, 255, round(rng.uniform(1.8, 3.6) * SUBPIXELS))
    smooth = cv2.GaussianBlur(canvas, None, SUBPIXELS / 2)
    return cv2.resize(smooth, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
