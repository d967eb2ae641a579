"""Overlays of masks on images, in colours that colour-blind readers tell apart (Okabe and Ito, 2008).

A volume is shown by three slices and three projections, at one scale and in their places::

    xy | yz
    ---+---
    xz |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import cycle

import cv2
import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.masks import IGNORE
from kerasseg.images.preprocessing import resize, resize_mask
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.surface import uneven

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
LINES_PER_SIDE = 400  # an outline is this part of the longer side, so that it is seen in a shrunken picture
GAP = 8  # white pixels between panels
WHITE = 255
FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.4)


def overlay(
    image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, spacing: Sequence[float] | None = None
) -> np.ndarray:
    """Draw what is true and what was predicted over an image, or over slices and projections of a volume.

    The true outline is sky blue, the predicted one amber; missed areas are tinted blue, invented areas and
    confused classes vermilion. Ignored pixels of the truth are not tinted. Classes that do not exclude each
    other are drawn one below the other. A volume shows the planes that hold most of the truth and, right of
    them, its maximum projections.

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
    return _draw(_draw_both, image, (truth, predicted), spacing)


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
    return _draw(_draw_outline, image, (mask,), spacing)


def rebuilt(image: np.ndarray, points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Lay an image, its points, what is rebuilt from them and the difference side by side.

    Parameters
    ----------
    image, other : np.ndarray
        (Y, X) in [0, 1].
    points : np.ndarray
        (Y, X) of 0 and 1.

    Returns
    -------
    np.ndarray
        (height, width, 3) uint8, from black at 0 to white at 1; the difference from blue, where the rebuilt
        image is darker, over white to vermilion.
    """
    grey = [np.repeat(np.rint(WHITE * each[..., None]), 3, axis=-1) for each in (image, points, other)]
    difference = (other - image)[..., None]
    towards = np.where(difference > 0, np.array(INVENTED), np.array(MISSED))
    shown = [*grey, WHITE + (towards - WHITE) * np.abs(difference)]
    return beside(enlarged([each.astype(np.uint8) for each in shown]))


def with_objects(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the outlines of objects over an image, and the ids of those that are not far too small for it.

    Parameters
    ----------
    image : np.ndarray
        (Y, X, C) of any type; stretched to its own range for display.
    labels : np.ndarray
        (Y, X, K) integer ids, 0 for background; channels of labels are drawn one below the other.

    Returns
    -------
    np.ndarray
        (height, width, 3) uint8, enlarged by a whole number where the image is small.
    """
    shown = display(image)
    return below([_draw_objects(*enlarged([shown, labels[..., k]])) for k in range(labels.shape[-1])])


def _draw_objects(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    picture = np.ascontiguousarray(picture)
    picture[uneven(labels) & (labels > 0)] = PREDICTED
    objects = measure(labels)
    rooms = objects.stops[:, 1] - objects.starts[:, 1]
    for number, (y, x), room in zip(objects.ids.tolist(), objects.centres, rooms, strict=True):
        (width, height), _ = cv2.getTextSize(str(number), *FONT, 1)
        if width > 2 * room:
            continue
        corner = (round(x - width / 2), round(y + height / 2))
        for colour, thickness in (((0, 0, 0), 3), ((WHITE,) * 3, 1)):  # light on dark and dark on light
            cv2.putText(picture, str(number), corner, *FONT, colour, thickness, cv2.LINE_AA)
    return picture


def _draw_both(picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    wrong = (truth != predicted) & (truth != IGNORE)
    picture = _tint(picture, wrong & (predicted == 0), MISSED)
    picture = _tint(picture, wrong & (predicted > 0), INVENTED)
    picture = _draw_outline(picture, truth)
    picture[outline(predicted)] = PREDICTED
    return picture


def _draw_outline(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    picture[outline(np.where(mask == IGNORE, 0, mask))] = TRUTH
    return picture


def _draw(
    draw: Draw, image: np.ndarray, masks: Sequence[np.ndarray], spacing: Sequence[float] | None
) -> np.ndarray:
    """Draw masks over an image, class below class where they do not exclude each other."""
    rank = 3 if image.ndim == 4 else 2
    sizes = [array.shape[:rank] for array in (image, *masks)]
    if len(set(sizes)) > 1:
        raise UserError(
            f"an image and its masks differ in size: {', '.join(map(str, sizes))}; resize them first"
        )
    each = [[mask] if mask.ndim == rank else list(np.moveaxis(mask, -1, 0)) for mask in masks]
    layers = list(zip(*each, strict=True))
    if rank == 3:
        return below([_draw_volume(draw, image, layer, spacing) for layer in layers])
    shown = display(image)
    return below([draw(*enlarged([shown, *layer])) for layer in layers])


def _draw_volume(
    draw: Draw, image: np.ndarray, masks: Sequence[np.ndarray], spacing: Sequence[float] | None
) -> np.ndarray:
    """Draw masks (Z, Y, X) over the slices of an image, and over its projections beside them."""
    position = richest_planes(masks[0])
    known = masks[0] != IGNORE
    views = to_scale([*slices(image, position), *projections(image)], spacing)
    columns = [displayed(views)]
    for mask in masks:
        known_mask = np.where(known, mask, 0)  # what is ignored hides nothing behind it
        columns.append(to_scale([*slices(mask, position), *projections(known_mask)], spacing))
    panels = [draw(*views) for views in zip(*map(enlarged, columns), strict=True)]
    return beside([mounted(panels[:3]), mounted(panels[3:])])


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


def _tint(picture: np.ndarray, where: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    tinted = (1 - TINT) * picture + TINT * np.array(colour)
    return np.where(where[..., None], tinted, picture).round().astype(np.uint8)


def richest_planes(mask: np.ndarray) -> tuple[int, int, int]:
    """Find the plane along each axis that holds most foreground; the middle ones where there is none.

    Parameters
    ----------
    mask : np.ndarray
        (Z, Y, X) uint8, 0 for background and 255 for ignore.

    Returns
    -------
    tuple of int
        Indices along z, y and x.
    """
    foreground = (mask > 0) & (mask != IGNORE)
    if not foreground.any():
        return tuple(side // 2 for side in mask.shape)
    others = ((1, 2), (0, 2), (0, 1))
    return tuple(int(foreground.sum(axis=axes).argmax()) for axes in others)


def slices(volume: np.ndarray, position: tuple[int, int, int]) -> list[np.ndarray]:
    """Cut (Z, Y, X, ...) through a position: xy (Y, X, ...), yz (Y, Z, ...) and xz (Z, X, ...)."""
    z, y, x = position
    return [volume[z], volume[:, :, x].swapaxes(0, 1), volume[:, y]]


def projections(volume: np.ndarray) -> list[np.ndarray]:
    """Take the maximum of (Z, Y, X, ...) along z, x and y: views as those of `slices`."""
    return [volume.max(axis=0), volume.max(axis=2).swapaxes(0, 1), volume.max(axis=1)]


def to_scale(views: Sequence[np.ndarray], spacing: Sequence[float] | None) -> list[np.ndarray]:
    """Stretch views so that a micrometre is equally long along every axis.

    Parameters
    ----------
    views : sequence of np.ndarray
        One or more times xy, yz and xz: of images, with a last axis of channels, or of masks, without one.
    spacing : sequence of float or None
        Size of a voxel along z, y and x; None takes voxels for cubes.

    Returns
    -------
    list of np.ndarray
        The finest axis keeps its pixels.
    """
    along_z, along_y, along_x = np.divide(spacing, min(spacing)) if spacing is not None else (1, 1, 1)
    factors = ((along_y, along_x), (along_y, along_z), (along_z, along_x))
    scaled = []
    for view, (down, right) in zip(views, cycle(factors), strict=False):
        size = max(1, round(view.shape[0] * down)), max(1, round(view.shape[1] * right))
        is_mask = view.ndim == 2
        scaled.append(resize_mask(view, size) if is_mask else resize(np.ascontiguousarray(view), size))
    return scaled


def mounted(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) of the three views into their places: xy, yz right of it and xz below it."""
    xy, yz, xz = panels
    return below([beside([xy, yz]), xz])


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) side by side, on white."""
    return below([picture.swapaxes(0, 1) for picture in pictures]).swapaxes(0, 1)


def below(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (Y, X, 3) one below the other, on white."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + GAP * (len(pictures) - 1)
    sheet = np.full((height, width, 3), WHITE, np.uint8)
    top = 0
    for picture in pictures:
        sheet[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + GAP
    return sheet
