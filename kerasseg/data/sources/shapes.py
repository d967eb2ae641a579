"""Samples annotated by shapes, as labelme and COCO files hold them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.shapes import NO_CLASS, Drawing, Shape
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.listing import check_size, folder_of, image_size
from kerasseg.errors import UserError, unknown
from kerasseg.images.embedded import Embedded


def drawn_sample(
    root: Path, folder: Path, image: Path | Embedded, drawing: Drawing, file: Path, classes: list[str]
) -> Sample:
    """Make a sample of an image and the shapes drawn on it.

    Parameters
    ----------
    root : Path
        Folder of the data.
    folder : Path
        Folder of the images, from which they are named.
    image : Path or Embedded
        The image; one that is embedded goes by the name of the file that holds it.
    drawing : Drawing
        Its shapes.
    file : Path
        Where they stand, for the messages.
    classes : list of str
        Names of the classes 1, 2, ...

    Raises
    ------
    UserError
        If the image cannot be read, is of another size, or a shape is of no class.
    """
    size = image_size(image)
    path = image.file if isinstance(image, Embedded) else image
    check_size(image, size, file, drawing.size, key=path.name)
    _check_labels(drawing.shapes, classes, file)
    name = path.relative_to(folder).with_suffix("").as_posix()
    return Sample(name, image, size, partial(_draw, drawing, classes), folder_of(path, root))


def _check_labels(shapes: list[Shape], classes: list[str], file: Path) -> None:
    strangers = sorted({shape.label for shape in shapes} - {*classes, *NO_CLASS})
    if strangers:
        raise UserError(
            *(
                f"{file}: {unknown('class', label, classes)} (data.classes). Name it there, or delete its "
                "shapes"
                for label in strangers
            )
        )


def _draw(drawing: Drawing, classes: list[str]) -> Annotation:
    objects = [shape for shape in drawing.shapes if shape.is_object]
    mask = draw_mask(drawing.shapes, drawing.size, classes)
    return Annotation(mask, draw_labels(objects, drawing.size))
