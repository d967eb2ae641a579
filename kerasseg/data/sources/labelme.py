"""A folder of labelme's JSON files and the images that they annotate."""

from __future__ import annotations

from pathlib import Path

from kerasseg.annotations import labelme as labelme_files
from kerasseg.annotations.formats import image_beside
from kerasseg.data.sample import Sample
from kerasseg.data.sources.listing import Mistakes, existing, some
from kerasseg.data.sources.shapes import drawn_sample
from kerasseg.errors import UserError
from kerasseg.images import files


def labelme(root: Path, classes: list[str]) -> list[Sample]:
    """List the images that labelme's JSON files annotate.

    Parameters
    ----------
    root : Path
        Folder of the JSON files, which may lie in folders of their own, with their images beside them.
    classes : list of str
        Names of the classes 1, 2, ...: the labels of the shapes.

    Returns
    -------
    list of Sample
        Shapes of one label and one ``group_id`` are one instance.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root, mistakes, samples = existing(root), Mistakes(), {}
    for path in files.find(root, (".json",)):
        with mistakes.noted():
            drawing = labelme_files.read(path)
            image = _image(path, drawing.image_path)
            if image in samples:
                raise UserError(f"{path}: {image} has another annotation file; take one of them away")
            samples[image] = None  # seen, whatever is wrong with it
            samples[image] = drawn_sample(root, root, image, drawing, path, classes)
    for image in files.find(root):
        if image not in samples:
            mistakes.add(f"{image}: no JSON file annotates this image; annotate it, or take it away")
    mistakes.check()
    return some(list(samples.values()), root, "labelme's JSON files and their images")


def _image(path: Path, image_path: str | None) -> Path:
    """Find the image that a file names, or one of the file's own name."""
    named = path.parent / image_path if image_path else None
    image = named if named and named.is_file() else image_beside(path.with_suffix(""))
    if image is None:
        raise UserError(
            f"{path}: imagePath is {image_path!r}, and there is no such image; put it beside the file"
        )
    return image
