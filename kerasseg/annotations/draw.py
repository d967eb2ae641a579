"""Shapes to pixels, by labelme's rules: a drawn mask equals ``labelme.utils.shapes_to_label`` in every pixel.

COCO's polygons alone, whose points are corners of pixels, are filled by :mod:`kerasseg.annotations.corners`.

labelme draws each shape into a mask of its own. Here all are drawn one over the other into one image by the
same rasteriser, Pillow's: the same pixels in a twentieth of the time. The pixels are those of labelme 6;
version 7 differs in the corners of line strips alone, which it rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from PIL import Image, ImageDraw

from kerasseg.annotations.corners import as_pixels
from kerasseg.annotations.shapes import NO_CLASS, Shape, instances
from kerasseg.annotations.trace import pixels_shape
from kerasseg.errors import UserError, unknown
from kerasseg.images.masks import IGNORE

LINE_WIDTH = 10  # pixels, labelme's
POINT_RADIUS = 5  # pixels, labelme's

Ink = tuple[int, ...]
"""The bytes of a pixel."""


def draw_mask(
    shapes: Sequence[Shape], size: tuple[int, int], classes: list[str], name: str = ""
) -> np.ndarray:
    """Draw shapes as class ids.

    Parameters
    ----------
    shapes : sequence of Shape
        Later ones cover earlier ones. The labels ``__ignore__`` and ``_background_`` need no class. A crowd
        is ignored, whatever its class, and all others cover it.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If a label is none of the classes.
    """
    values = NO_CLASS | {label: number for number, label in enumerate(classes, start=1)}
    strangers = sorted({shape.label for shape in shapes} - values.keys())
    if strangers:
        place = f"{name}: " if name else ""
        raise UserError(*(place + unknown("label", label, classes) for label in strangers))
    crowds_first = sorted(as_pixels(shapes, size), key=lambda shape: not shape.is_crowd)
    painted = ((shape, IGNORE if shape.is_crowd else values[shape.label]) for shape in crowds_first)
    return _draw(np.uint8, size, painted)


def draw_labels(shapes: Sequence[Shape], size: tuple[int, int]) -> np.ndarray:
    """Draw shapes as instance ids: 1, 2, ... in the order of :func:`kerasseg.annotations.shapes.instances`.

    Parameters
    ----------
    shapes : sequence of Shape
        Later ones cover earlier ones, of which nothing may remain.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32
        0 is background.
    """
    shapes = as_pixels(shapes, size)
    numbers = {
        id(shape): number for number, group in enumerate(instances(shapes), start=1) for shape in group
    }
    return _draw(np.int32, size, ((shape, numbers[id(shape)]) for shape in shapes))


def draw_instance(shapes: Sequence[Shape], size: tuple[int, int]) -> Shape | None:
    """Hold the pixels of one instance exactly, at the cost of its own rows and not of its image's.

    Parameters
    ----------
    shapes : sequence of Shape
        Its parts; what is not points and pixels is taken from the first.

    Returns
    -------
    Shape or None
        A ``mask`` shape; None where no pixel lies inside the image.
    """
    shapes = as_pixels(shapes, size)
    if not shapes:
        return None
    corners = np.concatenate([shape.points for shape in shapes])
    reach = max(_reach(shape) for shape in shapes)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + reach + 1, size[::-1])
    if (high <= low).any():
        return None
    low[0] = 0  # which pixels Pillow gives a slanted line depends on the column that it begins in
    drawn = _draw(np.uint8, tuple((high - low)[::-1].tolist()), ((shape, 1) for shape in shapes), low)
    rows, columns = np.nonzero(drawn)
    if not rows.size:
        return None
    held = pixels_shape(rows + low[1], columns + low[0], shapes[0].label)
    return replace(shapes[0], points=held.points, shape_type="mask", mask=held.mask, group_id=None)


def _reach(shape: Shape) -> int:
    """Say how far a shape's pixels may lie from its points' box."""
    if shape.shape_type == "circle":
        return math.ceil(np.hypot(*(shape.points[0] - shape.points[1]))) + 1
    return 1 if shape.shape_type in ("polygon", "rectangle", "oriented_rectangle", "mask") else LINE_WIDTH


def _draw(
    dtype: DTypeLike,
    size: tuple[int, int],
    painted: Iterable[tuple[Shape, int]],
    corner: ArrayLike = (0, 0),
) -> np.ndarray:
    """Draw shapes over each other, each in its value, into the part of the image from a corner (x, y) on.

    Outlines are worked out in the image's coordinates, and moved then: in this order nothing is rounded
    otherwise than in the whole image.

    Pillow draws into the array's own memory: to copy an image of Pillow's takes longer than to draw it. It
    can do so for pixels of one byte and of four, which it takes for colours.
    """
    pixels, corner = np.zeros(size, dtype), np.asarray(corner)
    mode = {1: "L", 4: "RGBA"}[pixels.itemsize]
    image = Image.frombuffer(mode, size[::-1], pixels, "raw", mode, 0, 1)
    image.readonly = 0  # otherwise what is drawn on is a copy
    canvas = ImageDraw.Draw(image)
    for shape, value in painted:
        PAINTERS[shape.shape_type](canvas, shape, tuple(pixels.dtype.type(value).tobytes()), corner)
    return pixels


def _polygon(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    canvas.polygon(_flat(shape.points - corner), fill=ink, outline=ink)


def _rectangle(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    ends = np.stack([shape.points.min(axis=0), shape.points.max(axis=0)])
    canvas.rectangle(_flat(ends - corner), fill=ink, outline=ink)


def _circle(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    (x, y), (rim_x, rim_y) = shape.points.tolist()
    _disc(canvas, shape.points[0], math.sqrt((x - rim_x) ** 2 + (y - rim_y) ** 2), ink, corner)


def _line(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    canvas.line(_flat(shape.points - corner), fill=ink, width=LINE_WIDTH)


def _points(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    for centre in shape.points:
        _disc(canvas, centre, POINT_RADIUS, ink, corner)


def _mask(canvas: ImageDraw.ImageDraw, shape: Shape, ink: Ink, corner: np.ndarray) -> None:
    left, top = (shape.points[0].astype(int) - corner).tolist()
    canvas.bitmap((left, top), Image.fromarray(np.ascontiguousarray(shape.mask)), fill=ink)


def _disc(
    canvas: ImageDraw.ImageDraw, centre: np.ndarray, radius: float, ink: Ink, corner: np.ndarray
) -> None:
    box = np.stack([centre - radius, centre + radius])
    canvas.ellipse(_flat(box - corner), fill=ink, outline=ink)


def _flat(points: np.ndarray) -> list[float]:
    return points.ravel().tolist()


PAINTERS: dict[str, Callable[[ImageDraw.ImageDraw, Shape, Ink, np.ndarray], None]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "oriented_rectangle": _polygon,
    "circle": _circle,
    "line": _line,
    "linestrip": _line,
    "point": _points,
    "points": _points,
    "mask": _mask,
}
