"""From one annotation format to another, always through drawings.

Only where pixels become outlines within a tolerance, in labelme, GeoJSON and ImageJ's ROIs, are any lost. How
many is measured by drawing the outlines again, and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations.draw import draw_mask
from kerasseg.annotations.formats import (
    NEED_CLASSES,
    OBJECTS_ONLY,
    READERS,
    WRITERS,
    Drawings,
    Options,
    Plan,
    image_beside,
    objects,
)
from kerasseg.annotations.rings import refilled
from kerasseg.annotations.shapes import IGNORE_LABEL, NO_CLASS, Drawing, Shape
from kerasseg.annotations.trace import TOLERANCE, outline
from kerasseg.console import track
from kerasseg.errors import UserError, if_interrupted, unknown

SHOWN = 3  # paths that a message lists


@dataclass(frozen=True)
class Report:
    """What a conversion did; ``str(report)`` tells it.

    Attributes
    ----------
    files : list of Path
        The files that it wrote.
    images, shapes : int
        How many it read.
    classes : list of str
        Names of the classes 1, 2, ...
    agreement : dict of str to float
        For each image whose pixels became outlines, the share of annotated pixels that drawing the outlines
        gives back as they were (IoU of all classes together); 1 is no loss.
    without_image : list of str
        Files written for labelme whose image is not beside them.
    left_out : int
        Crowds and regions to ignore, where the format has no word for them.
    """

    files: list[Path]
    images: int
    shapes: int
    classes: list[str]
    agreement: dict[str, float] = field(default_factory=dict)
    without_image: list[str] = field(default_factory=list)
    left_out: int = 0

    def __str__(self) -> str:
        """Tell it in up to four lines."""
        read = f"{_count(self.images, 'image')}, {_count(self.shapes, 'shape')}"
        lines = [f"{read} of {', '.join(self.classes) or 'no class'}"]
        if self.agreement:
            worst = min(self.agreement, key=self.agreement.get)
            mean = np.mean(list(self.agreement.values()))
            lines.append(f"round trip: IoU {mean:.4f} on average, {self.agreement[worst]:.4f} in {worst}")
        if self.without_image:
            missing = _count(len(self.without_image), "JSON file")
            lines.append(f"{missing} without the image beside: put the images there before opening labelme")
        if self.left_out:
            lines.append(f"left out: {_count(self.left_out, 'crowd or region')} to ignore")
        return "\n".join(lines)


def convert(
    read_as: str,
    write_as: str,
    source: Path,
    target: Path,
    *,
    classes: Sequence[str] = (),
    colours: Mapping[str, Sequence[int]] | None = None,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
) -> Report:
    """Convert annotations. All are read and checked before anything is written.

    Parameters
    ----------
    read_as, write_as : str
        Two of the formats in :mod:`kerasseg.annotations.formats`.
    source, target : Path
        Files or folders, as that table says. labelme files belong into the folder of their images.
    classes : sequence of str, optional
        Names of the classes 1, 2, ... Pixels have no names and need them; elsewhere all found are taken by
        default.
    colours : mapping of str to (int, int, int), optional
        Red, green and blue of each class, for masks of colours.
    tolerance : float, default 0.5
        Pixels by which an outline may move when pixels become outlines; 0 keeps every pixel.
    overwrite : bool, default False
        Whether files that are there already may be replaced.

    Returns
    -------
    Report

    Raises
    ------
    UserError
        If something cannot be read, a class is unknown, or a file to be written is there already.
    """
    if read_as in NEED_CLASSES and not classes:
        raise UserError(f"{source}: {read_as} do not name their classes; name them, such as --classes cell")
    if not np.isfinite(tolerance) or tolerance < 0:
        raise UserError(f"tolerance is {tolerance}; expected pixels from 0")
    drawings = READERS[read_as](Path(source), Options(classes, colours))
    names = _class_names(drawings, classes)
    outlined = OUTLINES[write_as](drawings, tolerance) if write_as in OUTLINES else None
    written = outlined if write_as == "labelme" else drawings
    plan = WRITERS[write_as](written, Path(target), Options(names, tolerance=tolerance))
    _check_free(plan, overwrite)
    for number, write in enumerate(track(list(plan.values()), "writing")):
        with if_interrupted(
            f"{number} of {len(plan)} files are written to {target}, each complete; the same command with "
            "--overwrite writes all"
        ):
            write()
    return _report(drawings, outlined, list(plan), names, write_as)


CONVERSIONS: dict[tuple[str, str], Callable[..., Report]] = {
    (read_as, write_as): partial(convert, read_as, write_as)
    for read_as in READERS
    for write_as in WRITERS
    if read_as != write_as
}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _class_names(drawings: Drawings, given: Sequence[str]) -> list[str]:
    """Take the classes that are given, which must be all that there are, or else those found, sorted."""
    found = {shape.label for drawing in drawings.values() for shape in drawing.shapes} - NO_CLASS.keys()
    strangers = sorted(found - set(given)) if given else []
    if strangers:
        raise UserError(*(unknown("class", label, given) for label in strangers))
    return list(given) or sorted(found)


def _through_centres(drawings: Drawings, tolerance: float) -> Drawings:
    return {
        name: replace(drawing, shapes=outline(drawing.shapes, tolerance))
        for name, drawing in drawings.items()
    }


def _along_corners(drawings: Drawings, tolerance: float) -> Drawings:
    def left(drawing: Drawing) -> list[Shape]:
        found = (refilled(shape, drawing.size, tolerance) for shape in objects(drawing))
        return [shape for shape in found if shape]

    return {name: replace(drawing, shapes=left(drawing)) for name, drawing in drawings.items()}


# What is left of drawings when they are outlined in the formats' ways.
OUTLINES: dict[str, Callable[[Drawings, float], Drawings]] = {
    "labelme": _through_centres,
    "geojson": _along_corners,
    "imagej": _along_corners,
}


def _check_free(plan: Plan, overwrite: bool) -> None:
    taken = [str(path) for path in plan if path.exists()]
    if taken and not overwrite:
        more = f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else ""
        raise UserError(
            f"{', '.join(taken[:SHOWN])}{more} exist already; choose another folder or --overwrite"
        )


def _report(
    drawings: Drawings, outlined: Drawings | None, paths: list[Path], names: list[str], write_as: str
) -> Report:
    beside = paths if write_as == "labelme" else ()
    return Report(
        files=paths,
        images=len(drawings),
        shapes=sum(len(drawing.shapes) for drawing in drawings.values()),
        classes=names,
        agreement={name: _agreement(drawings, outlined, name, names) for name in outlined or ()},
        without_image=[str(path) for path in beside if not image_beside(path.with_suffix(""))],
        left_out=_ignored(drawings) if write_as in OBJECTS_ONLY else 0,
    )


def _ignored(drawings: Drawings) -> int:
    """Count the shapes that mean pixels to be ignored."""
    shapes = (shape for drawing in drawings.values() for shape in drawing.shapes)
    return sum(shape.is_crowd or shape.label == IGNORE_LABEL for shape in shapes)


def _agreement(before: Drawings, after: Drawings, name: str, names: list[str]) -> float:
    """Draw an image's shapes as they were and as they are now, and compare the annotated pixels."""
    old, new = (draw_mask(drawings[name].shapes, drawings[name].size, names) for drawings in (before, after))
    either = (old > 0) | (new > 0)
    return float((old == new)[either].mean()) if either.any() else 1.0
