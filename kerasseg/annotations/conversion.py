"""From one annotation format to another, always through drawings.

Only where pixels become outlines within a tolerance, in labelme, GeoJSON and ImageJ's ROIs, are any lost. How
many is measured by filling what was written by the rule of its own format, and reported, with all that the
format has no word for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerasseg.annotations import coco
from kerasseg.annotations.corners import as_pixels
from kerasseg.annotations.documents import Options, image_beside
from kerasseg.annotations.draw import draw_instance, draw_labels, draw_mask
from kerasseg.annotations.formats import FORMATS
from kerasseg.annotations.planes import planes_apart
from kerasseg.annotations.shapes import IGNORE_LABEL, NO_CLASS, Drawing, Drawings, Shape, instances
from kerasseg.annotations.trace import TOLERANCE
from kerasseg.console import track
from kerasseg.errors import UserError, if_interrupted, unknown
from kerasseg.images.folders import clashes

SHOWN = 3  # paths that a message lists
SEVERAL = {  # what does not become several by an s after its first word
    "class name": "class names",
    "crowd or region to ignore": "crowds or regions to ignore",
    "nucleus": "nuclei",
    "supercategory": "supercategories",
}


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
    left_out : mapping of str to int
        What was read and has no place in what was written, and how many of it.
    crowds : int
        How many of the shapes are COCO's crowds, which are regions to ignore.
    """

    files: list[Path]
    images: int
    shapes: int
    classes: list[str]
    agreement: dict[str, float] = field(default_factory=dict)
    without_image: list[str] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    crowds: int = 0

    def __str__(self) -> str:
        """Tell it in up to five lines."""
        read = f"{_count(self.images, 'image')}, {_count(self.shapes, 'shape')}"
        numbered = ", ".join(f"{name} ({number})" for number, name in enumerate(self.classes, start=1))
        lines = [f"{read} of {numbered or 'no class'}"]
        if self.crowds:
            lines.append(
                f"crowds: {self.crowds:,} of {_count(self.shapes, 'shape')} are taken for regions to ignore; "
                "where they are objects, as CVAT's brush masks are, choose --crowds objects"
            )
        if self.agreement:
            worst = min(self.agreement, key=self.agreement.get)
            mean = np.mean(list(self.agreement.values()))
            lines.append(f"round trip: IoU {mean:.4f} on average, {self.agreement[worst]:.4f} in {worst}")
        if self.without_image:
            missing = _count(len(self.without_image), "file for labelme")
            lines.append(f"{missing} without the image beside: put the images there before opening labelme")
        if self.left_out:
            lines.append("left out: " + ", ".join(_count(n, what) for what, n in self.left_out.items()))
        return "\n".join(lines)


def convert(
    read_as: str,
    write_as: str,
    source: Path,
    target: Path,
    *,
    classes: Sequence[str] = (),
    values: Mapping[str, int] | None = None,
    tolerance: float = TOLERANCE,
    crowds: str = "ignore",
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
    values : mapping of str to int, optional
        The number of each class by its name, and of ``ignore``, for masks that do not hold class ids.
    tolerance : float, default 0.5
        Pixels by which an outline may move when pixels become outlines; 0 keeps every pixel.
    crowds : {"ignore", "objects"}
        What COCO's ``iscrowd: 1`` means: see :func:`kerasseg.annotations.coco.read`.
    overwrite : bool, default False
        Whether files that are there already may be replaced.

    Raises
    ------
    UserError
        If something cannot be read, a class is unknown, or a file to be written is there already.
    """
    if strange := [unknown("format", name, FORMATS) for name in (read_as, write_as) if name not in FORMATS]:
        raise UserError(*strange)
    if read_as == write_as:
        raise UserError(f"{read_as} to {write_as}: there is nothing to convert; name two different formats")
    if not Path(source).exists():
        raise UserError(f"{source}: there is no such file or folder")
    if FORMATS[read_as].needs_classes and not classes:
        raise UserError(f"{source}: {read_as} do not name their classes; name them, such as --classes cell")
    if not np.isfinite(tolerance) or tolerance < 0:
        raise UserError(f"tolerance is {tolerance}; expected pixels from 0")
    if crowds not in coco.CROWDS:
        raise UserError(unknown("meaning of crowds", crowds, coco.CROWDS))
    drawings = FORMATS[read_as].load().read_drawings(Path(source), Options(classes, values, crowds=crowds))
    if problems := list(clashes((name, drawing.image_path or name) for name, drawing in drawings.items())):
        raise UserError(*problems)
    if not FORMATS[write_as].keeps_planes:
        drawings = planes_apart(drawings)
    names = _class_names(drawings, classes)
    writer, written, left = FORMATS[write_as].load(), drawings, None
    if hasattr(writer, "outline_drawings"):
        written, left = writer.outline_drawings(drawings, tolerance)
    plan = writer.plan(written, Path(target), Options(names, tolerance=tolerance))
    taken = [str(path) for path in plan if path.exists()]
    if taken and not overwrite:
        more = f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else ""
        raise UserError(
            f"{', '.join(taken[:SHOWN])}{more} exist already; choose another folder or --overwrite"
        )
    for number, write in enumerate(track(list(plan.values()), "writing")):
        with if_interrupted(
            f"{number} of {len(plan)} files are written to {target}, each complete; repeat the command with "
            "--overwrite to write them all"
        ):
            write()
    shapes = [shape for drawing in drawings.values() for shape in drawing.shapes]
    beside = plan if write_as == "labelme" else ()
    return Report(
        files=list(plan),
        images=len(drawings),
        shapes=len(shapes),
        classes=names,
        agreement=_agreement(drawings, left, names) if left else {},
        without_image=[str(path) for path in beside if not image_beside(path.with_suffix(""))],
        left_out=_left_out(drawings, left or {}, write_as),
        crowds=sum(shape.is_crowd for shape in shapes) if read_as == "coco" else 0,
    )


def _count(number: int, what: str) -> str:
    """Write a number of things: ``3 points``, ``2 crowds or regions to ignore``."""
    noun, *rest = what.split(" ", 1)
    several = SEVERAL.get(what, " ".join([f"{noun}s", *rest]))
    return f"{number:,} {what if number == 1 else several}"


def _class_names(drawings: Drawings, given: Sequence[str]) -> list[str]:
    """Take the classes that are given, which must be all that there are; or else those that the files list.

    What they do not list comes after, sorted.
    """
    holders = {shape.label: name for name, drawing in drawings.items() for shape in drawing.shapes}
    labels = holders.keys() - NO_CLASS.keys()
    if strangers := sorted(labels - set(given)) if given else []:
        advice = "name all classes by --classes, or none to take those of the files"
        raise UserError(
            *(f"{holders[label]}: {unknown('class', label, given)}; {advice}" for label in strangers)
        )
    listed = [name for drawing in drawings.values() for name in drawing.classes if name not in NO_CLASS]
    return list(given) or list(dict.fromkeys([*listed, *sorted(labels)]))


def _left_out(drawings: Drawings, outlined: Drawings, write_as: str) -> Counter[str]:
    """Count what the files hold and the format that is written does not."""
    left_out: Counter[str] = Counter()
    for name, drawing in drawings.items():
        left_out.update(drawing.left_out)
        left = outlined[name].shapes if write_as == "coco" else as_pixels(drawing.shapes, drawing.size)
        without_pixels = _objects(drawing.shapes) - _objects(left)
        left_out.update({"object without a pixel": without_pixels} if without_pixels else {})
        if FORMATS[write_as].objects_only:
            ignored = sum(shape.is_crowd or shape.label == IGNORE_LABEL for shape in drawing.shapes)
            left_out.update({"crowd or region to ignore": ignored} if ignored else {})
            left_out.update(_covered(drawing))
    if write_as == "labels":
        labels = {shape.label for drawing in drawings.values() for shape in drawing.shapes if shape.is_object}
        left_out.update({"class name": len(labels)} if len(labels) > 1 else {})
    return left_out


def _covered(drawing: Drawing) -> dict[str, int]:
    """Count what lies under other objects, where a pixel can be of one object only."""
    objects = [shape for shape in drawing.shapes if shape.is_object]
    held = [draw_instance(group, drawing.size) for group in instances(objects)]
    areas = [np.count_nonzero(shape.mask) for shape in held if shape]
    drawn = draw_labels(objects, drawing.size)
    counts = {
        "object wholly under others": len(areas) - np.count_nonzero(np.bincount(drawn.ravel())[1:]),
        "pixel of an object under another": sum(areas) - np.count_nonzero(drawn),
    }
    return {what: int(count) for what, count in counts.items() if count}


def _objects(shapes: Sequence[Shape]) -> int:
    return len(instances([shape for shape in shapes if shape.is_object]))


def _agreement(before: Drawings, after: Drawings, names: list[str]) -> dict[str, float]:
    """Draw each plane as it was and as it is now, and compare the annotated pixels (IoU of all classes)."""
    after, agreement = planes_apart(after), {}
    for name, drawing in planes_apart(before).items():
        shapes = after[name].shapes if name in after else []
        old = draw_mask(drawing.shapes, drawing.size, names)
        new = draw_mask(shapes, drawing.size, names)
        either = (old > 0) | (new > 0)
        agreement[name] = float((old == new)[either].mean()) if either.any() else 1.0
    return agreement
