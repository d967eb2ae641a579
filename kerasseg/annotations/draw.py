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
from PIL import Image, ImageDraw

from kerasseg.annotations.corners import as_pixels
from kerasseg.annotations.shapes import NO_CLASS, Shape, instances
from kerasseg.annotations.trace import pixels_shape
from kerasseg.errors import UserError, unknown
from kerasseg.masks import IGNORE

LINE_WIDTH = 10  # pixels, labelme's
POINT_RADIUS = 5  # pixels, labelme's


def draw_mask(
    shapes: Sequence[Shape], size: tuple[int, int], classes: list[str], name: str = ""
) -> np.ndarray:
    """Draw shapes as class ids.

    Parameters
    ----------
    shapes : sequence of Shape
        Later ones cover earlier ones. The labels ``__ignore__`` and ``_background_`` need no class. A crowd
        is ignored, whatever its class, and all others cover it.
    size : tuple of int
        Height and width of the image.
    classes : list of str
        Names of the classes 1, 2, ...
    name : str, optional
        The file, for the message.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If a label is none of the classes.
    """
    values = NO_CLASS | {label: at for at, label in enumerate(classes, start=1)}
    strangers = sorted({shape.label for shape in shapes} - values.keys())
    if strangers:
        place = f"{name}: " if name else ""
        raise UserError(*(place + unknown("label", label, classes) for label in strangers))
    crowds_first = sorted(as_pixels(shapes, size), key=lambda shape: not shape.is_crowd)
    painted = ((shape, IGNORE if shape.is_crowd else values[shape.label]) for shape in crowds_first)
    return _draw("L", size, painted)


def draw_labels(shapes: Sequence[Shape], size: tuple[int, int]) -> np.ndarray:
    """Draw shapes as instance ids: 1, 2, ... in the order of :func:`kerasseg.annotations.shapes.instances`.

    Parameters
    ----------
    shapes : sequence of Shape
        Later ones cover earlier ones, of which nothing may remain.
    size : tuple of int
        Height and width of the image.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32
        0 is background.
    """
    shapes = as_pixels(shapes, size)
    numbers = {id(shape): at for at, group in enumerate(instances(shapes), start=1) for shape in group}
    return _draw("I", size, ((shape, numbers[id(shape)]) for shape in shapes))


def draw_instance(shapes: Sequence[Shape], size: tuple[int, int]) -> Shape | None:
    """Hold the pixels of one instance exactly, at the cost of its own rows and not of its image's.

    Parameters
    ----------
    shapes : sequence of Shape
        Its parts; what is not points and pixels is taken from the first.
    size : tuple of int
        Height and width of the image.

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
    moved = [replace(shape, points=shape.points - low) for shape in shapes]
    drawn = _draw("L", tuple((high - low)[::-1].tolist()), ((shape, 1) for shape in moved)) > 0
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


def _draw(mode: str, size: tuple[int, int], painted: Iterable[tuple[Shape, int]]) -> np.ndarray:
    image = Image.new(mode, size[::-1])
    canvas = ImageDraw.Draw(image)
    for shape, value in painted:
        PAINTERS[shape.shape_type](canvas, shape, value)
    return np.array(image)


def _polygon(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    canvas.polygon(_flat(shape), fill=value, outline=value)


def _rectangle(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    corners = [*shape.points.min(axis=0).tolist(), *shape.points.max(axis=0).tolist()]
    canvas.rectangle(corners, fill=value, outline=value)


def _circle(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    (x, y), (rim_x, rim_y) = shape.points.tolist()
    _disc(canvas, x, y, math.sqrt((x - rim_x) ** 2 + (y - rim_y) ** 2), value)


def _line(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    canvas.line(_flat(shape), fill=value, width=LINE_WIDTH)


def _points(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    for x, y in shape.points.tolist():
        _disc(canvas, x, y, POINT_RADIUS, value)


def _mask(canvas: ImageDraw.ImageDraw, shape: Shape, value: int) -> None:
    corner = tuple(shape.points[0].astype(int).tolist())
    canvas.bitmap(corner, Image.fromarray(np.ascontiguousarray(shape.mask)), fill=value)


def _disc(canvas: ImageDraw.ImageDraw, x: float, y: float, radius: float, value: int) -> None:
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value, outline=value)


def _flat(shape: Shape) -> list[float]:
    return shape.points.ravel().tolist()


PAINTERS: dict[str, Callable[[ImageDraw.ImageDraw, Shape, int], None]] = {
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
