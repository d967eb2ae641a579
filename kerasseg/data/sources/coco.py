"""Images and one COCO file that annotates them."""

from __future__ import annotations

from pathlib import Path

from kerasseg.annotations import coco as coco_files
from kerasseg.data.sample import Sample
from kerasseg.data.sources.listing import existing, some
from kerasseg.data.sources.shapes import drawn_sample
from kerasseg.errors import Mistakes
from kerasseg.images import files


def coco(
    root: Path, classes: list[str], *, annotations: str = "annotations.json", images: str = "."
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

    Returns
    -------
    list of Sample
        Each annotation is an instance; but a crowd, ``iscrowd: 1``, is 255 (ignore) where no instance covers
        it, as pycocotools scores nothing inside it.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root, mistakes, samples = existing(root), Mistakes(), []
    file, folder = root / annotations, root / images
    drawings = coco_files.read(file)
    for drawing in drawings:
        with mistakes.noted():
            image = folder / drawing.image_path
            samples.append(drawn_sample(root, folder, image, drawing, file, classes))
    listed = {(folder / drawing.image_path).resolve() for drawing in drawings}
    for image in files.find(folder):
        if image.resolve() not in listed:
            mistakes.add(f"{image}: {file} does not list this image; list it, or take it away")
    mistakes.check()
    return some(samples, root, f"images in {annotations}")
