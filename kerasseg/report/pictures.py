"""Overlays of masks on images, in colours that colour-blind readers tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

import cv2
import numpy as np

from kerasseg.classes import IGNORE
from kerasseg.errors import UserError
from kerasseg.images.resize import resize

TRUTH = (86, 180, 233)  # sky blue
PREDICTED = (255, 176, 0)  # amber
MISSED = (0, 114, 178)  # blue: truth that was not predicted
INVENTED = (213, 94, 0)  # vermilion: predicted where there is nothing

TINT = 0.45
LONGEST_SIDE = 640  # smaller images are enlarged, so that an outline stays thin beside what it surrounds
LINES_PER_SIDE = (
    400  # an outline is this part of the longer side, so that it is seen when a picture is shrunk
)


def overlay(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Draw what is true and what was predicted over an image.

    The true outline is sky blue, the predicted one amber; missed areas are tinted blue, invented areas and
    confused classes vermilion. Ignored pixels of the truth are not tinted.

    Parameters
    ----------
    image : np.ndarray
        (Y, X) or (Y, X, C) of any type; stretched to its own range for display.
    truth : np.ndarray
        (Y, X) uint8 class ids, 255 ignored.
    predicted : np.ndarray
        (Y, X) uint8 class ids.

    Returns
    -------
    np.ndarray
        (n Y, n X, 3) uint8, enlarged by a whole number n where the image is small.

    Raises
    ------
    UserError
        If the three differ in size.
    """
    _check_sizes(image, truth, predicted)
    image, truth, predicted = (enlarge(array) for array in (display(image), truth, predicted))
    wrong = (truth != predicted) & (truth != IGNORE)
    picture = _tinted(image, wrong & (predicted == 0), MISSED)
    picture = _tinted(picture, wrong & (predicted > 0), INVENTED)
    picture[outline(np.where(truth == IGNORE, 0, truth))] = TRUTH
    picture[outline(predicted)] = PREDICTED
    return picture


def annotated(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draw the outline of a mask over an image.

    Parameters
    ----------
    image : np.ndarray
        (Y, X) or (Y, X, C) of any type.
    mask : np.ndarray
        (Y, X) uint8 class ids, 255 ignored.

    Returns
    -------
    np.ndarray
        (n Y, n X, 3) uint8, enlarged as by `overlay`.

    Raises
    ------
    UserError
        If the two differ in size.
    """
    _check_sizes(image, mask)
    picture, mask = enlarge(display(image)), enlarge(mask)
    picture[outline(np.where(mask == IGNORE, 0, mask))] = TRUTH
    return picture


def display(image: np.ndarray) -> np.ndarray:
    """Make any image visible: (Y, X) or (Y, X, C) of any type to (Y, X, 3) uint8.

    Grey and two-channel images show their first channel, others their first three. Intensities are stretched
    from the 0.5th to the 99.5th percentile over all channels, so that colours keep their balance.
    """
    image = np.atleast_3d(image).astype(np.float32)
    image = image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)
    low, high = np.percentile(image, (0.5, 99.5))
    stretched = (image - low) / max(high - low, np.finfo(np.float32).tiny)
    return (255 * stretched.clip(0, 1)).round().astype(np.uint8)


def enlarge(array: np.ndarray) -> np.ndarray:
    """Repeat pixels a whole number of times, within `LONGEST_SIDE`: (Y, X, ...) to (n Y, n X, ...)."""
    times = max(1, LONGEST_SIDE // max(array.shape[:2]))
    return array.repeat(times, axis=0).repeat(times, axis=1)


def outline(mask: np.ndarray) -> np.ndarray:
    """Find the pixels of a class along another class or the background: (Y, X) ids to (Y, X) bool.

    The line lies inside what it surrounds, and is thicker in larger images; the image's border is no edge.
    """
    mask = mask.astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    thickness = max(1, round(max(mask.shape) / LINES_PER_SIDE))
    return cv2.erode(mask, cross, iterations=thickness) != mask


def compressed(picture: np.ndarray, longest: int) -> bytes:
    """Encode a picture as JPEG, with full colour resolution for the sake of outlines.

    Parameters
    ----------
    picture : np.ndarray
        (Y, X, 3) uint8.
    longest : int
        The longer side is shrunk to this many pixels where it is longer.

    Returns
    -------
    bytes
    """
    scale = min(1, longest / max(picture.shape))
    picture = resize(picture, tuple(max(1, round(scale * side)) for side in picture.shape[:2]))
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 92, *full_colour))
    return encoded.tobytes()


def _tinted(picture: np.ndarray, where: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    tinted = (1 - TINT) * picture + TINT * np.array(colour)
    return np.where(where[..., None], tinted, picture).round().astype(np.uint8)


def _check_sizes(image: np.ndarray, *masks: np.ndarray) -> None:
    sizes = [array.shape[:2] for array in (image, *masks)]
    if len(set(sizes)) > 1:
        raise UserError(
            f"an image and its masks differ in size: {', '.join(map(str, sizes))}; resize them first"
        )
