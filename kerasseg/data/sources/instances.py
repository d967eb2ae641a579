"""Objects one by one: a PNG an object as in Data Science Bowl 2018, or a label image beside each image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import masks
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.listing import (
    annotated_size,
    check_size,
    existing,
    folder_of,
    image_size,
    listed,
    one_class,
)
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files

EXPECTED = "ID/images/ID.png with ID/masks/*.png, or a label image beside each image"


def instances(
    root: Path, classes: list[str], *, images: str = "*", labels: str = "{stem}_labels"
) -> list[Sample]:
    """List images whose objects were annotated one by one.

    Where any folder below `root` holds ``images`` and ``masks``, as ``stage1_train/ID`` does in the Data
    Science Bowl, each such folder is a sample and each file in ``masks`` an object. Otherwise each image
    has a label image beside it, in which every object has a number of its own.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        The one class that all objects are of.
    images : str, default "*"
        Names of the images without suffix, with ``*`` and ``?``; for label images only.
    labels : str, default "{stem}_labels"
        Name of an image's label image without suffix; ``{stem}`` is the image's own.

    Returns
    -------
    list of Sample

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root = existing(root)
    one_class(classes, "instances")
    mistakes = Mistakes()
    folders = sorted(path.parent for path in root.rglob("masks") if (path.parent / "images").is_dir())
    if folders:
        samples = _of_folders(root, folders, mistakes)
    else:
        samples = _of_label_images(root, images, labels, mistakes)
    mistakes.check()
    return listed(samples, root, EXPECTED)


def _of_folders(root: Path, folders: Sequence[Path], mistakes: Mistakes) -> list[Sample]:
    samples = []
    for folder in folders:
        with mistakes.noted():
            samples.append(_of_folder(root, folder, mistakes))
    stages = {folder.parent for folder in folders}
    for images in sorted(path for stage in stages for path in stage.glob("*/images")):
        if images.parent not in folders:
            mistakes.add(f"{images}: there is no folder masks beside it; annotate the image, or take it away")
    return samples


def _of_folder(root: Path, folder: Path, mistakes: Mistakes) -> Sample:
    found, objects = files.find(folder / "images"), files.find(folder / "masks")
    if len(found) != 1:
        raise UserError(f"{folder / 'images'}: the folder holds {len(found)} images; expected one")
    image = found[0]
    size = image_size(image)
    for path in objects:
        with mistakes.noted():
            check_size(image, size, path, image_size(path))
    name = folder.relative_to(root).as_posix()
    return Sample(name, image, size, partial(_draw, objects, size), folder_of(folder, root))


def _draw(objects: Sequence[Path], size: tuple[int, int]) -> Annotation:
    """Number the objects in the order of their files; the later one lies on top."""
    labels = np.zeros(size, np.int32)
    for number, path in enumerate(objects, start=1):
        labels[masks.read_labels(path) > 0] = number
    return _annotation(labels)


def _of_label_images(root: Path, images: str, labels: str, mistakes: Mistakes) -> list[Sample]:
    found = files.find(root)
    by_stem = {path.with_suffix(""): path for path in found}
    matching = [path for path in found if path.match(f"{images}.*")]
    beside = {path: path.with_name(labels.format(stem=path.stem)) for path in matching}
    pairs = {path: by_stem.get(stem) for path, stem in beside.items() if path not in _among(beside, by_stem)}
    samples = []
    for image, label_image in pairs.items():
        if label_image is None:
            mistakes.add(f"{image}: there is no label image {beside[image].name}.* beside it")
            continue
        with mistakes.noted():
            size = annotated_size(image, label_image)
            name = image.relative_to(root).with_suffix("").as_posix()
            samples.append(Sample(name, image, size, partial(_read, label_image), folder_of(image, root)))
    return samples


def _among(beside: dict[Path, Path], by_stem: dict[Path, Path]) -> set[Path]:
    """Tell which files are themselves label images of others."""
    return {by_stem[stem] for path, stem in beside.items() if stem in by_stem and by_stem[stem] != path}


def _read(label_image: Path) -> Annotation:
    return _annotation(masks.read_labels(label_image))


def _annotation(labels: np.ndarray) -> Annotation:
    return Annotation((labels > 0).astype(np.uint8), labels)
