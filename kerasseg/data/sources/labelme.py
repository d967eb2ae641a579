"""A folder of labelme's JSON files and the images that they annotate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kerasseg.annotations import labelme as labelme_files
from kerasseg.annotations.documents import image_beside
from kerasseg.annotations.shapes import Drawing
from kerasseg.data.sample import Sample
from kerasseg.data.sources.layouts import wrong_layout
from kerasseg.data.sources.listing import drawn_sample, existing, listed
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files
from kerasseg.images.headers import Embedded

EXPECTED = "labelme's JSON files and their images"


def labelme(root: Path, classes: list[str], *, images: str = ".") -> list[Sample]:
    """List the images that labelme's JSON files annotate.

    An image is the file that ``imagePath`` names, one beside the JSON file and of its name, or the only one
    of the name that ``imagePath`` ends in. Where none exists it is the one that the JSON file holds itself in
    ``imageData``: a file on the disk wins.

    Parameters
    ----------
    root : Path
        Folder of the JSON files, which may lie in folders of their own.
    classes : list of str
        Names of the classes 1, 2, ...: the labels of the shapes.
    images : str, default "."
        Folder of the images, from `root`.

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
    root = existing(root)
    folder = root / images
    mistakes = Mistakes()
    samples: dict[Path | Embedded, Sample | None] = {}
    by_name: dict[str, list[Path]] = {}
    for image in files.find(folder, known=(".json",)):
        by_name.setdefault(image.name, []).append(image)
    documents = files.find(root, (".json",), known=files.SUFFIXES)
    if not documents:
        raise wrong_layout(root, "labelme", f"{root}: no sample was found; expected {EXPECTED}")
    for path in documents:
        with mistakes.noted():
            drawing = labelme_files.read(path)
            image = _image(path, drawing, by_name)
            if image in samples:
                raise UserError(f"{path}: {image} has another annotation file; move one of them elsewhere")
            samples[image] = None  # seen, whatever is wrong with it
            inside = not isinstance(image, Embedded) and image.is_relative_to(folder)
            light = replace(drawing, image_data=None)  # samples hold no pixels
            samples[image] = drawn_sample(root, folder if inside else root, image, light, path, classes)
    if not samples:
        raise wrong_layout(root, "labelme", *mistakes.messages)
    for image in files.find(folder, known=(".json",)):
        if image not in samples:
            mistakes.add(f"{image}: no JSON file annotates this image; annotate it, or move it elsewhere")
    mistakes.check()
    return listed(list(samples.values()), root, "labelme", EXPECTED)


def _image(path: Path, drawing: Drawing, by_name: Mapping[str, list[Path]]) -> Path | Embedded:
    """Find the image of a file, or take the one that it holds."""
    named = path.parent / drawing.image_path if drawing.image_path else None
    image = named if named and named.is_file() else image_beside(path.with_suffix(""))
    if image:
        return image
    others = by_name.get(named.name, []) if named else []
    if len(others) == 1:
        return others[0]
    if drawing.image_data is not None:
        return labelme_files.embedded_image(path)
    problem = f"there are {len(others)} images of that name" if others else "there is no such image"
    raise UserError(
        f"{path}: imagePath is {drawing.image_path!r}, {problem}, and imageData holds none; put the image "
        "beside the file, or name the folder of the images in data.source.labelme.images"
    )
