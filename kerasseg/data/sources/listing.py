"""What sources share: a root that exists, images that fit their annotations, mistakes told all at once."""

from __future__ import annotations

import glob
import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.masks import refuse_lossy
from kerasseg.annotations.shapes import NO_CLASS, Drawing
from kerasseg.data.sample import LARGE, Annotation, MissingData, Sample
from kerasseg.data.sources.layouts import wrong_layout
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images import files
from kerasseg.images.folders import clashes, file_name, stem
from kerasseg.images.headers import Embedded, Header, check_whole
from kerasseg.images.stores.volume import Slide, Volume

Find = Callable[[Path], list[Path]]


def existing(root: Path) -> Path:
    """Return the root of the data.

    Raises
    ------
    MissingData
        If there is no such folder, or nothing in it.
    """
    root = Path(root)
    if root.is_file():
        raise UserError(f"{root}: this is a file; expected a folder; set data.source's root to where it lies")
    if not root.is_dir() or next(root.iterdir(), None) is None:
        problem = "the folder is empty" if root.is_dir() else "there is no such folder"
        raise MissingData(
            f"{root}: {problem}; put the data there, or set data.source's root to where they are"
        )
    return root


def one_class(classes: list[str], source: str) -> None:
    """Refuse several classes where the files tell only one from the background.

    Raises
    ------
    UserError
        If there is not exactly one class.
    """
    if len(classes) != 1:
        raise UserError(
            f"data.classes names {', '.join(classes)}; the source {source} knows one class: name one, or use "
            "images_masks, labelme or coco, which know several"
        )


def image_size(path: Path | Embedded) -> tuple[int, int]:
    """Return an image's height and width by its header.

    Raises
    ------
    UserError
        If it cannot be read, is a stack of planes, or too large to be read whole.
    """
    header = _single(path)
    check_whole(header)
    return header.size


def annotated(image: Path, annotation: Path) -> tuple[Path | Slide, tuple[int, int]]:
    """Return an image with its size, which is that of the image file that annotates it.

    Returns
    -------
    image : Path or Slide
        A slide where both are large and lie in blocks, so that they are read by region.
    size : tuple of int

    Raises
    ------
    UserError
        If either cannot be read, they differ in size, or a slide's annotation was compressed with loss.
    """
    headers = _single(image), _single(annotation)
    size, of_annotation = (header.size for header in headers)
    check_size(image, size, annotation, of_annotation)
    if math.prod(size) > LARGE and all(header.in_blocks for header in headers):
        refuse_lossy(headers[1], annotation)
        return Slide(image), size
    for header in headers:
        check_whole(header)
    return image, size


def _single(path: Path | Embedded) -> Header:
    header = files.header(path)
    if header.pages > 1:
        raise UserError(f"{path}: the file is a stack of {header.pages} planes; expected a single image")
    return header


def check_size(
    image: Path | Embedded | Volume,
    size: tuple[int, ...],
    annotation: Path | Volume,
    annotated: tuple[int, ...],
    key: str = "",
) -> None:
    """Refuse an annotation of another size than its image's.

    Raises
    ------
    UserError
        If the sizes differ.
    """
    if size != annotated:
        owner = f" of {key}" if key else ""
        advice = "annotate the image as it is, or put that image back"
        if size == annotated[::-1] and len(size) == 2:
            advice = (
                "height and width are exchanged, probably because one program obeyed the image's EXIF "
                "orientation and another did not: save the image upright, without it, and annotate that"
            )
        raise UserError(
            f"{annotation}: the annotation{owner} is {_shown(annotated)}, the image {image} is {_shown(size)}"
            f"; {advice}"
        )


def pairs(
    images: Path, masks: Path, suffix: str, mistakes: Mistakes, find: Find = files.find
) -> dict[str, tuple[Path, Path]]:
    """Match images and masks by name, and note those that stand alone.

    Parameters
    ----------
    images, masks : Path
        Folders; where they are one and there is no suffix, each file is both.
    suffix : str
        What a mask's name has after its image's.
    mistakes : Mistakes
        Where they are noted.
    find : callable
        Lists the images in a folder.
    """
    masks_by_name = by_stem(masks, (path for path in find(masks) if stem(path).endswith(suffix)), mistakes)
    not_images = {path for path in masks_by_name.values() if suffix and images == masks}
    by_name = by_stem(images, (path for path in find(images) if path not in not_images), mistakes)
    for name in sorted(by_name.keys() - {mask.removesuffix(suffix) for mask in masks_by_name}):
        missing = _missing(masks / (name + suffix), "annotate it, or move it elsewhere")
        mistakes.add(f"{by_name[name]}: there is no mask {missing}")
    for name in sorted(masks_by_name.keys() - {image + suffix for image in by_name}):
        missing = _missing(images / name.removesuffix(suffix), "put it there, or move the mask elsewhere")
        mistakes.add(f"{masks_by_name[name]}: there is no image {missing}")
    return {
        name: (path, masks_by_name[name + suffix])
        for name, path in by_name.items()
        if name + suffix in masks_by_name
    }


def _missing(path: Path, advice: str) -> str:
    """Name a path whose suffix may be any, and what has its name and is not read."""
    beside = sorted(other.name for other in path.parent.glob(f"{glob.escape(path.name)}.*"))
    if not beside:
        return f"{path}.*; {advice}"
    return f"{path}.* that can be read; {', '.join(beside)} cannot: save it as PNG or TIFF"


def by_stem(folder: Path, paths: Iterable[Path], mistakes: Mistakes) -> dict[str, Path]:
    """Name images by their paths in `folder` without suffix, and note those that are not unique."""
    named = [(path.relative_to(folder).with_name(stem(path)).as_posix(), path) for path in paths]
    for message in clashes(named):
        mistakes.add(message)
    first: dict[str, Path] = {}
    for name, path in named:
        first.setdefault(name, path)
    return first


def listed(samples: list[Sample], root: Path, source: str, expected: str) -> list[Sample]:
    """Return the samples of a source, of which there must be some, each with a name of its own.

    Raises
    ------
    UserError
        If there are none, or predictions of two would be one file, as those of ``a/b`` and ``a__b``.
    """
    if not samples:
        raise wrong_layout(root, source, f"{root}: no sample was found; expected {expected}")
    if problems := list(clashes((file_name(sample.name), sample.image) for sample in samples)):
        raise UserError(*problems)
    return samples


def folder_of(image: Path, root: Path) -> dict[str, str]:
    """Return the attribute that samples of every source have."""
    inside = image.is_relative_to(root)
    return {"folder": (image.relative_to(root) if inside else image).parent.as_posix()}


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
        The file of the shapes, for the messages.
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
    strangers = sorted({shape.label for shape in drawing.shapes} - {*classes, *NO_CLASS})
    if strangers:
        raise UserError(
            *(
                f"{file}: {unknown('class', label, classes)} (data.classes). Name it there, or in "
                "data.ignore if its pixels are not to be learnt"
                for label in strangers
            )
        )
    name = path.relative_to(folder).with_suffix("").as_posix()
    return Sample(name, image, size, partial(_draw, drawing, classes), folder_of(path, root))


def _draw(drawing: Drawing, classes: list[str]) -> Annotation:
    objects = [shape for shape in drawing.shapes if shape.is_object]
    mask = draw_mask(drawing.shapes, drawing.size, classes)
    return Annotation(mask, draw_labels(objects, drawing.size))


def _shown(size: tuple[int, ...]) -> str:
    return f"{' x '.join(map(str, size))} ({'depth x ' * (len(size) == 3)}height x width)"
