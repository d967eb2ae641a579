"""An annotated image as outlines: what every annotation format is read into and written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from kerasseg.images.masks import BACKGROUND, IGNORE

IGNORE_LABEL, BACKGROUND_LABEL = "__ignore__", "_background_"  # labelme's own
NO_CLASS = {BACKGROUND_LABEL: BACKGROUND, IGNORE_LABEL: IGNORE}  # labels that need no class, and their pixels
CORNER_POLYGON = "corner_polygon"  # COCO's: its points are corners of pixels, and not their centres
CROWD, SCORE = "iscrowd", "score"  # COCO's own keys, kept in Shape.other


class Plane(NamedTuple):
    """A channel, slice and frame of a stack, from 0; None where all are meant."""

    c: int | None = None
    z: int | None = None
    t: int | None = None


EVERYWHERE = Plane()


@dataclass(frozen=True)
class Shape:
    """One annotated outline.

    Attributes
    ----------
    label : str
        Name of its class.
    points : numpy.ndarray, shape (N, 2), float64
        (x, y) in pixels, where (0, 0) is the middle of the first; for a ``mask`` the first and last pixel of
        its box.
    shape_type : str, default "polygon"
        polygon, rectangle, oriented_rectangle, circle, line, linestrip, point, points or mask, as labelme
        has them; or corner_polygon, whose points are corners of pixels: :mod:`kerasseg.annotations.corners`.
    group_id : int, optional
        Shapes of one label and one group are one instance.
    mask : numpy.ndarray, shape (Y, X), bool, optional
        The pixels inside a ``mask``'s box.
    flags : dict
        What the annotator ticked.
    description : str
        What the annotator noted.
    other : dict
        Keys that only another program knows; kept when the shape is written.
    plane : Plane
        Where in a stack it lies; everywhere by default.
    """

    label: str
    points: np.ndarray
    shape_type: str = "polygon"
    group_id: int | None = None
    mask: np.ndarray | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    description: str = ""
    other: dict[str, Any] = field(default_factory=dict)
    plane: Plane = EVERYWHERE

    @property
    def is_crowd(self) -> bool:
        """Whether it is COCO's crowd: a region full of objects of its class that nobody told apart.

        As in pycocotools, where what is found inside it is neither right nor wrong: those pixels are ignored,
        but for those of objects drawn one by one.
        """
        return bool(self.other.get(CROWD))

    @property
    def is_object(self) -> bool:
        """Whether it is, or is part of, one object of a class."""
        return self.label not in NO_CLASS and not self.is_crowd


@dataclass(frozen=True)
class Drawing:
    """The shapes of one image.

    Attributes
    ----------
    image_path : str or None
        The image, by a path with slashes from the annotation file's folder.
    size : tuple of int
        Height and width of the image.
    shapes : list of Shape
        In the order in which they are drawn: later ones cover earlier ones.
    image_data : str or None
        The image file itself in base64, where the annotation file holds it.
    flags : dict
        What the annotator ticked for the image.
    version : str or None
        Of the program that wrote the file.
    other : dict
        Keys that only another program knows; kept when the drawing is written.
    classes : sequence of str
        Names of all classes that the annotation file lists, in its order; empty where it lists none.
    stack : Plane, optional
        How many channels, slices and frames the image has, where it is a stack and beside its annotations.
    left_out : mapping of str to int
        What the file holds and the shapes do not, and how many of it: ``{"point": 3}``.
    """

    image_path: str | None
    size: tuple[int, int]
    shapes: list[Shape]
    image_data: str | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    version: str | None = None
    other: dict[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    stack: Plane | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


Drawings = dict[str, Drawing]
"""Drawings by the paths of their images without suffix, from the folder of the annotations."""


def instances(shapes: list[Shape]) -> list[list[Shape]]:
    """Group shapes into instances, in the order of their first shapes.

    Parameters
    ----------
    shapes : list of Shape
        Those of one image. Shapes of one label and one ``group_id`` are one instance; one without is its own.
    """
    groups: dict[tuple, list[Shape]] = {}
    for number, shape in enumerate(shapes):
        key = (shape.label, shape.group_id) if shape.group_id is not None else (number,)
        groups.setdefault(key, []).append(shape)
    return list(groups.values())
