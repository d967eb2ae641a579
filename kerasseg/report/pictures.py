"""Overlays of masks on images, in colours that colour-blind readers tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.preprocessing import resize
from kerasseg.masks import IGNORE
from kerasseg.report import volumes

Draw = Callable[..., np.ndarray]
"""From a picture (Y, X, 3) and masks (Y, X) to a picture."""
Limits = tuple[np.ndarray, np.ndarray]
"""The intensities that are shown black and white."""

TRUTH = (86, 180, 233)  # sky blue
PREDICTED = (255, 176, 0)  # amber
MISSED = (0, 114, 178)  # blue: truth that was not predicted
INVENTED = (213, 94, 0)  # vermilion: predicted where there is nothing

TINT = 0.45
CHANNELS_SHOWN = {1: [0, 0, 0], 2: [0, 1, 0], 3: [0, 1, 2]}  # as red, green and blue
LONGEST_SIDE = 640  # smaller images are enlarged, so that an outline stays thin beside what it surrounds
LINES_PER_SIDE = (
    400  # an outline is this part of the longer side, so that it is seen when a picture is shrunk
)


def overlay(
    image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, spacing: Sequence[float] | None = None
) -> np.ndarray:
    """Draw what is true and what was predicted over an image, or over slices and projections of a volume.

    The true outline is sky blue, the predicted one amber; missed areas are tinted blue, invented areas and
    confused classes vermilion. Ignored pixels of the truth are not tinted. Classes that do not exclude each
    other are drawn one below the other. A volume shows the planes that hold most of the truth and, right of
    them, its maximum projections: see `kerasseg.report.volumes`.

    Parameters
    ----------
    image : np.ndarray
        (Y, X), (Y, X, C) or (Z, Y, X, C) of any type; stretched to its own range for display.
    truth : np.ndarray
        (Y, X) or (Z, Y, X) uint8 class ids, 255 ignored; where classes do not exclude each other (..., K) of
        0, 1 and 255.
    predicted : np.ndarray
        The same without 255.
    spacing : sequence of float, optional
        Size of a voxel along z, y and x.

    Returns
    -------
    np.ndarray
        (height, width, 3) uint8, enlarged by a whole number where the image is small.

    Raises
    ------
    UserError
        If the three differ in size.
    """
    return _drawn(_overlaid, image, (truth, predicted), spacing)


def annotated(image: np.ndarray, mask: np.ndarray, spacing: Sequence[float] | None = None) -> np.ndarray:
    """Draw the outline of a mask over an image, or over slices and projections of a volume.

    Parameters
    ----------
    image, mask, spacing
        As `overlay` takes them.

    Returns
    -------
    np.ndarray
        (height, width, 3) uint8, arranged and enlarged as by `overlay`.

    Raises
    ------
    UserError
        If the two differ in size.
    """
    return _drawn(_outlined, image, (mask,), spacing)


def _overlaid(picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    wrong = (truth != predicted) & (truth != IGNORE)
    picture = _tinted(picture, wrong & (predicted == 0), MISSED)
    picture = _tinted(picture, wrong & (predicted > 0), INVENTED)
    picture = _outlined(picture, truth)
    picture[outline(predicted)] = PREDICTED
    return picture


def _outlined(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    picture[outline(np.where(mask == IGNORE, 0, mask))] = TRUTH
    return picture


def _drawn(
    draw: Draw, image: np.ndarray, masks: Sequence[np.ndarray], spacing: Sequence[float] | None
) -> np.ndarray:
    """Draw masks over an image, class below class where they do not exclude each other."""
    rank = 3 if image.ndim == 4 else 2
    _check_sizes(rank, image, *masks)
    layers = zip(*(_layers(mask, rank) for mask in masks), strict=True)
    if rank == 3:
        return volumes.below([_drawn_volume(draw, image, layer, spacing) for layer in layers])
    shown = display(image)
    return volumes.below([draw(*enlarged([shown, *layer])) for layer in layers])


def _layers(mask: np.ndarray, rank: int) -> list[np.ndarray]:
    return [mask] if mask.ndim == rank else list(np.moveaxis(mask, -1, 0))


def _drawn_volume(
    draw: Draw, image: np.ndarray, masks: Sequence[np.ndarray], spacing: Sequence[float] | None
) -> np.ndarray:
    """Draw masks (Z, Y, X) over the slices of an image, and over its projections beside them."""
    slices = partial(volumes.slices, place=volumes.place(masks[0]))
    known = masks[0] != IGNORE
    counted = [np.where(known, mask, 0) for mask in masks]  # what is ignored hides nothing behind it
    seen = volumes.to_scale([*slices(image), *volumes.projections(image)], spacing)
    columns = [displayed(seen)]
    for mask, known_mask in zip(masks, counted, strict=True):
        columns.append(volumes.to_scale([*slices(mask), *volumes.projections(known_mask)], spacing))
    panels = [draw(*views) for views in zip(*map(enlarged, columns), strict=True)]
    return volumes.beside([volumes.mounted(panels[:3]), volumes.mounted(panels[3:])])


def display(image: np.ndarray, limits: Limits | None = None) -> np.ndarray:
    """Make any image visible: (Y, X) or (Y, X, C) of any type to (Y, X, 3) uint8.

    One channel is grey. Two channels, as a fluorescence microscope gives them, are magenta and green, which
    colour-blind readers tell apart and which make white together. Of more the first three are red, green and
    blue. Intensities are stretched between `limits`, by default the image's own.
    """
    image = _seen(image)
    low, high = limits or stretch(image)
    stretched = (image - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    picture = (255 * stretched.clip(0, 1)).round().astype(np.uint8)
    return picture.take(CHANNELS_SHOWN[image.shape[-1]], axis=-1)


def stretch(image: np.ndarray, percentiles: tuple[float, float] = (0.5, 99.5)) -> Limits:
    """Find what shall be black and what white: of two channels each for itself, of three over all, so that
    colours keep their balance.

    Parameters
    ----------
    image : np.ndarray
        (Y, X) or (Y, X, C) of any type.
    percentiles : tuple of float
        In [0, 100].

    Returns
    -------
    tuple of np.ndarray
        The lower and the upper limit, to be broadcast against (Y, X, C).
    """
    image = _seen(image)
    low, high = np.percentile(image, percentiles, axis=(0, 1) if image.shape[-1] == 2 else None)
    return low, high


def _seen(image: np.ndarray) -> np.ndarray:
    """Keep the channels that are displayed: (Y, X, 1 to 3) float32."""
    return np.atleast_3d(image)[..., :3].astype(np.float32)


def displayed(views: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Make views (Y, X, C) of one volume visible, all stretched alike: each to (Y, X, 3) uint8."""
    ends = np.cumsum([math.prod(view.shape[:2]) for view in views])[:-1]
    pixels = display(np.concatenate([view.reshape(-1, 1, view.shape[-1]) for view in views]))
    parts = zip(np.split(pixels, ends), views, strict=True)
    return [part.reshape(*view.shape[:2], 3) for part, view in parts]


def enlarged(views: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Repeat pixels a whole number of times, so that the first fits `LONGEST_SIDE`: each (Y, X, ...)."""
    times = max(1, LONGEST_SIDE // max(views[0].shape[:2]))
    return [view.repeat(times, axis=0).repeat(times, axis=1) for view in views]


def outline(mask: np.ndarray) -> np.ndarray:
    """Find the pixels of a class along another class or the background: (Y, X) ids to (Y, X) bool.

    The line lies inside what it surrounds, and is thicker in larger images; the image's border is no edge.
    """
    mask = mask.astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    thickness = max(1, round(max(mask.shape) / LINES_PER_SIDE))
    return cv2.erode(mask, cross, iterations=thickness) != mask


def compressed(picture: np.ndarray, widest: int) -> bytes:
    """Encode a picture as JPEG, with full colour resolution for the sake of outlines.

    Parameters
    ----------
    picture : np.ndarray
        (Y, X, 3) uint8.
    widest : int
        The width is shrunk to this many pixels where it is larger; below each other there is room.

    Returns
    -------
    bytes
    """
    scale = min(1, widest / picture.shape[1])
    picture = resize(picture, tuple(max(1, round(scale * side)) for side in picture.shape[:2]))
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 92, *full_colour))
    return encoded.tobytes()


def _tinted(picture: np.ndarray, where: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    tinted = (1 - TINT) * picture + TINT * np.array(colour)
    return np.where(where[..., None], tinted, picture).round().astype(np.uint8)


def _check_sizes(rank: int, *arrays: np.ndarray) -> None:
    sizes = [array.shape[:rank] for array in arrays]
    if len(set(sizes)) > 1:
        raise UserError(
            f"an image and its masks differ in size: {', '.join(map(str, sizes))}; resize them first"
        )
