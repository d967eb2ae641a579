"""The nuclei of the paper's script, step by step and with its numbers, which are pixels of its slices.

The published ``split_nuclie.py`` (commit cd2d682) blurs a slice, takes one threshold, an outline of what is
left three times over, and of all contours those of a fitting area with more than eight corners. A nucleus is
the one whose first centre lies nearest. These numbers suit slices of about 5000 x 2500 pixels of 4 nm, and
nuclei that are lighter than what surrounds them; for all others see `kerasseg.nuclei.detection`.

Two steps are left out: what lies outside 1.1 times an outline is not blackened, as crops stay as they were
scanned, and crops are not written as JPEG.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from kerasseg.errors import UserError
from kerasseg.nuclei.detection import Outline
from kerasseg.nuclei.linking import Sighting

BLUR = 11  # pixels of the Gaussian's window
OFFSET = 7  # grey levels below the local mean that still are light
GRADIENTS, WINDOW = 3, 7  # morphological gradients, one after the other, and pixels of their ellipse
AREAS = (300_000, 800_000)  # pixels
CORNERS = 8  # that a nucleus's polygon has more of
TOLERANCE = 0.01  # of the perimeter, of that polygon
FARTHEST = 400  # pixels from where a nucleus was first seen
CROP = 1700  # pixels
DIAMETER = 790  # pixels of a disc amid AREAS, for what is drawn


def detect(image: np.ndarray) -> list[Outline]:
    """Find the nuclei of a slice as the paper's script does.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X), uint8
        The slice.

    Returns
    -------
    list of Outline
        By y, then x; those with a `reason` are no nuclei. Inner and outer outlines of one membrane are both
        there.

    Raises
    ------
    UserError
        If the slice is not of 8 bits.
    """
    if image.dtype != np.uint8:
        raise UserError(
            f"--preset paper: the slices are {image.dtype}; its threshold is of 8-bit grey levels. Convert "
            "them, or leave the preset out"
        )
    mask = _light(image)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WINDOW, WINDOW))
    for _ in range(GRADIENTS):
        mask = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, disc)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    outlines = [
        _judged(contour, image.shape) for contour in contours if cv2.contourArea(contour) > AREAS[0] / 2
    ]
    return sorted(outlines, key=lambda outline: outline.centre)


def _light(image: np.ndarray) -> np.ndarray:
    """Take what is lighter than the mean of an eighth of the height, less `OFFSET`."""
    blurred = cv2.GaussianBlur(image, (BLUR, BLUR), 0)
    side = max(3, image.shape[0] // 8 + 1 | 1)
    return cv2.adaptiveThreshold(
        blurred, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, side, OFFSET
    )


def _judged(contour: np.ndarray, shape: tuple[int, int]) -> Outline:
    area = cv2.contourArea(contour)
    corners = len(cv2.approxPolyDP(contour, TOLERANCE * cv2.arcLength(contour, True), True))
    reason = ""
    if not AREAS[0] < area < AREAS[1]:
        reason = f"{area:,.0f} pixels"
    elif corners <= CORNERS:
        reason = f"{corners} corners"
    points = contour[:, 0].astype(np.float32)
    height, width = shape
    cut = bool(points.min() <= 0 or (points.max(axis=0) >= (width - 1, height - 1)).any())
    return Outline(points, cut, 0.0 if reason else 1.0, reason)


def link(sightings: Sequence[Sighting]) -> list[int]:
    """Number sightings by the nearest place where any nucleus was first seen, as the paper's script does.

    Parameters
    ----------
    sightings : sequence of Sighting
        In the order of slices.

    Returns
    -------
    list of int
        A number for each; two in one slice may have the same.
    """
    first: list[tuple[float, float]] = []
    numbers = []
    for sighting in sightings:
        distances = [np.hypot(sighting.y - y, sighting.x - x) for y, x in first]
        nearest = int(np.argmin(distances)) if distances else -1
        if not distances or distances[nearest] > FARTHEST:
            nearest = len(first)
            first.append((sighting.y, sighting.x))
        numbers.append(nearest)
    return numbers
