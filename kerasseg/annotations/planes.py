"""Planes of stacks: annotations that say on which channel, slice or frame they lie stay there.

Formats that know planes (ImageJ's ROIs, QuPath's GeoJSON) keep them. Elsewhere a plane is an image of its
own, named after the stack and its numbers, which count from 1: ``stack_t001_z003``. Channels are one image,
unless annotations differ in theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path

from kerasseg.annotations.documents import image_beside
from kerasseg.annotations.shapes import EVERYWHERE, Drawing, Drawings, Plane, Shape
from kerasseg.errors import UserError
from kerasseg.images import files, tiff

_SHOWN = 5  # planes that a message lists


def stack_of(image: Path) -> Plane | None:
    """Read how many channels, slices and frames a TIFF has; colours are one channel.

    Returns
    -------
    Plane or None
        None for an image of one plane.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    if files.format_of(image) is not tiff:
        return None
    with tiff.opened(image) as file:
        series = tiff.only_series(file, image)
        lengths = dict(zip(series.axes, series.shape, strict=True))
    channels, frames = lengths.pop("C", 1), lengths.pop("T", 1)
    slices = prod(length for axis, length in lengths.items() if axis not in "YXS")
    return Plane(channels, slices, frames) if channels * slices * frames > 1 else None


def size_and_stack_beside(path: Path) -> tuple[tuple[int, int] | None, Plane | None]:
    """Read the size and the planes of the image beside a file of annotations, where there is one."""
    image = image_beside(path.with_suffix(""))
    return (files.header(image).size, stack_of(image)) if image else (None, None)


def counted(position: int, stack: Plane | None) -> Plane:
    """Find the plane that ImageJ gives a number, from 0: channels count first, then slices, then frames.

    Where the stack is not known, the number counts slices.
    """
    if stack is None:
        return Plane(z=position)
    channels, slices, frames = stack
    rest, channel = divmod(position, channels)
    frame, z = divmod(rest, slices)
    return Plane(channel, z, frame) if frame < frames else Plane(z=position)  # to be refused


def placed(drawing: Drawing, path: Path) -> Drawing:
    """Check the planes of all shapes, and leave out what there is but one of: a lone slice, a lone frame.

    Raises
    ------
    UserError
        If shapes lie beyond the planes of the stack beside their file.
    """
    stack = drawing.stack or Plane(1, 1, 1)
    if stack.z * stack.t > 1:
        _check_inside(drawing, stack, path)
    alone = (axis for axis in "zt" if getattr(stack, axis) == 1 and not any(_places(drawing.shapes, axis)))
    lone = dict.fromkeys(alone)
    shapes = [replace(shape, plane=shape.plane._replace(**lone)) for shape in drawing.shapes]
    return replace(drawing, shapes=shapes)


def planes_apart(drawings: Drawings) -> Drawings:
    """Make each annotated plane of a stack an image of its own.

    Raises
    ------
    UserError
        If a plane has the name of an image that is there too.
    """
    planes: Drawings = {}
    for stack, drawing in drawings.items():
        for name, plane in apart(stack, drawing):
            if name in planes:
                raise UserError(f"{name}: an image and a plane of a stack have this name; rename the image")
            planes[name] = plane
    return planes


def apart(name: str, drawing: Drawing) -> Iterator[tuple[str, Drawing]]:
    """Make a drawing of each annotated plane, by its name; an image that is not a stack stays as it is."""
    image, left_out = Path(drawing.image_path or name), drawing.left_out
    for plane, shapes in by_plane(drawing).items():
        places = ((axis, getattr(plane, axis)) for axis in "tzc")
        numbers = "".join(f"_{axis}{place + 1:03}" for axis, place in places if place is not None)
        image_path = image.with_name(image.stem + numbers + image.suffix).as_posix()
        flat = [replace(shape, plane=EVERYWHERE) for shape in shapes]
        yield (
            name + numbers,
            replace(drawing, image_path=image_path, shapes=flat, stack=None, left_out=left_out),
        )
        left_out = {}  # it is counted once


def repeated(drawing: Drawing) -> Drawing:
    """Put what lies on all planes on each that is annotated, for formats that cannot say "all"."""
    shapes = [
        replace(shape, plane=Plane(shape.plane.c, plane.z, plane.t))
        for plane, shapes in by_plane(drawing, "zt").items()
        for shape in shapes
    ]
    return replace(drawing, shapes=shapes)


def by_plane(drawing: Drawing, axes: str = "czt") -> dict[Plane, list[Shape]]:
    """Sort shapes by plane; `EVERYWHERE` is the only one where nothing tells planes apart.

    A shape that lies on all slices lies on each slice of the stack or, where that is not known, on each that
    other shapes name; so do those on all frames. Channels tell planes apart if shapes differ in theirs.
    """
    shapes = drawing.shapes
    choices = {axis: sorted(set(_places(shapes, axis))) for axis in axes}
    if len(choices.get("c", ())) < 2:
        choices["c"] = []
    for axis, places in choices.items():
        length = getattr(drawing.stack, axis) if drawing.stack else 1
        if places and length > 1 and any(getattr(shape.plane, axis) is None for shape in shapes):
            choices[axis] = list(range(length))
    lying_on: dict[Plane, list[Shape]] = {}
    for shape in shapes:
        for plane in product(*(_choice(shape.plane, axis, choices.get(axis, [])) for axis in "czt")):
            lying_on.setdefault(Plane(*plane), []).append(shape)
    order = sorted(lying_on, key=lambda plane: (plane.t or 0, plane.z or 0, plane.c or 0))
    return {plane: lying_on[plane] for plane in order} or {EVERYWHERE: []}


def _choice(plane: Plane, axis: str, choices: list[int]) -> Sequence[int | None]:
    place = getattr(plane, axis)
    return (choices if place is None else [place]) if choices else [None]


def _places(shapes: Sequence[Shape], axis: str) -> list[int]:
    places = (getattr(shape.plane, axis) for shape in shapes)
    return [place for place in places if place is not None]


def _check_inside(drawing: Drawing, stack: Plane, path: Path) -> None:
    beyond = {
        (shape.plane.z or 0, shape.plane.t or 0)
        for shape in drawing.shapes
        if (shape.plane.z or 0) >= stack.z or (shape.plane.t or 0) >= stack.t
    }
    if beyond:
        named = [f"slice {z + 1} of frame {t + 1}" for z, t in sorted(beyond)]
        shown = ", ".join(named[:_SHOWN]) + f" and {len(named) - _SHOWN:,} more" * (len(named) > _SHOWN)
        raise UserError(
            f"{path}: objects lie on {shown}; the stack beside it ends with slice {stack.z} of frame "
            f"{stack.t}. Put the stack beside it that was annotated"
        )
