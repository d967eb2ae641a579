"""Images and one COCO file that annotates them."""

from __future__ import annotations

import warnings
from pathlib import Path

from kerasseg.annotations import coco as coco_files
from kerasseg.annotations.shapes import Drawing
from kerasseg.console import say
from kerasseg.data.sample import Sample
from kerasseg.data.sources.listing import existing, some
from kerasseg.data.sources.shapes import drawn_sample
from kerasseg.errors import Fallback, Mistakes
from kerasseg.images import files


def coco(
    root: Path,
    classes: list[str],
    *,
    annotations: str = "annotations.json",
    images: str = ".",
    crowds: str = "ignore",
) -> list[Sample]:
    """List the images of a COCO file.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        Names of the classes 1, 2, ...: the file's categories that have annotations.
    annotations : str, default "annotations.json"
        The COCO file, from `root`.
    images : str, default "."
        The folder that the file's ``file_name`` starts from, from `root`.
    crowds : {"ignore", "objects"}
        Whether an annotation of ``iscrowd: 1`` is a region to ignore, or an object like any other.

    Returns
    -------
    list of Sample
        Each annotation is an instance; but a crowd to be ignored is 255 where no instance covers it, as
        pycocotools scores nothing inside it.

    Warns
    -----
    Fallback
        If annotations are ignored as crowds.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root, mistakes, samples = existing(root), Mistakes(), []
    file, folder = root / annotations, root / images
    drawings = coco_files.read(file, crowds)
    _say_crowds(drawings, file)
    for drawing in drawings:
        with mistakes.noted():
            image = folder / drawing.image_path
            samples.append(drawn_sample(root, folder, image, drawing, file, classes))
    listed = {(folder / drawing.image_path).resolve() for drawing in drawings}
    mistakes.check()
    unlisted = sum(image.resolve() not in listed for image in files.find(folder))
    if unlisted:
        say(f"{file}: {unlisted} of the images in {folder} are not listed and left alone")
    return some(samples, root, f"images in {annotations}")


def _say_crowds(drawings: list[Drawing], file: Path) -> None:
    """Say how many annotations are ignored, as many programs write crowds for painted objects."""
    shapes = [shape for drawing in drawings for shape in drawing.shapes]
    crowds = sum(shape.is_crowd for shape in shapes)
    if crowds:
        warnings.warn(
            f"{file}: {crowds} of {len(shapes)} annotations are crowds and are ignored; where they are "
            "objects, as CVAT's brush masks are, set data.source.coco.crowds to objects",
            Fallback,
            stacklevel=3,
        )
