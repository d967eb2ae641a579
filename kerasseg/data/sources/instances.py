"""Objects one by one: a label image for each image, or a file for each object (Data Science Bowl)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path, PurePosixPath

import numpy as np

from kerasseg.annotations import cellpose, label_images
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.layouts import wrong_layout
from kerasseg.data.sources.listing import (
    annotated,
    by_stem,
    check_size,
    existing,
    folder_of,
    image_size,
    listed,
    one_class,
)
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files
from kerasseg.images.folders import stem
from kerasseg.images.stores.store import Region
from kerasseg.images.stores.volume import Slide

EXPECTED = "ID/images/ID.png with ID/masks/*.png, or a label image for each image"

STEM = "{stem}"
FOLDERS = ("", "masks/", "labels/", "../masks/", "../labels/")
ENDINGS = ("_labels", "_masks", "_cp_masks", "")
LABELS = tuple(f"{folder}{STEM}{ending}" for folder, ending in product(FOLDERS, ENDINGS) if folder or ending)
"""Where label images lie, from the folder of their image: ours, Cellpose's, StarDist's."""

CELLPOSE = f"{STEM}{cellpose.ENDING}"
"""Cellpose's own files, which lie beside the label images that it exports."""

DRAWN = ("_flows", "_flows_cp_masks", "_outlines_cp_masks", "_cp_output")
"""What Cellpose writes beside an image besides its objects."""


def instances(
    root: Path, classes: list[str], *, images: str = "*", labels: str | None = None
) -> list[Sample]:
    """List images whose objects were annotated one by one.

    Where folders below `root` hold ``images`` and ``masks`` of other names, as ``stage1_train/ID`` does in
    the Data Science Bowl, each such folder is a sample and each file in ``masks`` an object. Otherwise each
    image has a label image, in which every object has a number of its own.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        The one class that all objects are of.
    images : str, default "*"
        Names of the images without suffix, with ``*`` and ``?``; for label images only.
    labels : str, optional
        Where an image's label image lies, from the image's folder and without suffix, such as
        ``"masks/{stem}_cp_masks"``; ``{stem}`` is the image's own name. By default the one of `LABELS` that
        is there, or else the files of Cellpose.

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
    mistakes = Mistakes()
    one_class(classes, "instances")
    paths = files.find(root, (*files.SUFFIXES, cellpose.SUFFIX))
    if labels is None and (folders := _object_folders(paths, root)):
        samples = _from_object_folders(root, folders, paths, mistakes)
    else:
        samples = _from_label_images(root, paths, images, labels, mistakes)
    mistakes.check()
    return listed(samples, root, "instances", EXPECTED)


def _object_folders(paths: Iterable[Path], root: Path) -> list[Path]:
    """Find the folders in which ``masks`` are objects of ``images``: no mask has the name of an image."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(stem(path))
    images = (folder for folder in names if folder != root and folder.name == "images")
    samples = sorted(folder.parent for folder in images if (folder.parent / "masks").is_dir())
    labelled = any(
        name + ending in names.get(sample / "masks", ())
        for sample in samples
        for name in names[sample / "images"]
        for ending in ENDINGS
    )
    return [] if labelled else samples


def _from_object_folders(
    root: Path, folders: Sequence[Path], paths: Sequence[Path], mistakes: Mistakes
) -> list[Sample]:
    within: dict[Path, list[Path]] = {}
    for path in paths:
        within.setdefault(path.parent, []).append(path)
    samples = []
    for folder in folders:
        with mistakes.noted():
            objects = within.get(folder / "masks", [])
            samples.append(_from_object_folder(root, folder, within[folder / "images"], objects))
    for images in sorted(folder for folder in within if folder.name == "images"):
        if images.parent not in folders:
            mistakes.add(
                f"{images}: there is no folder masks beside it; annotate the image, or move it elsewhere"
            )
    return samples


def _from_object_folder(root: Path, folder: Path, images: Sequence[Path], objects: Sequence[Path]) -> Sample:
    if len(images) != 1:
        raise UserError(
            f"{folder / 'images'}: the folder holds {len(images)} images; expected one, or label images of "
            "their names in masks"
        )
    image = images[0]
    size = image_size(image)
    mistakes = Mistakes()
    for path in objects:
        with mistakes.noted():
            check_size(image, size, path, image_size(path))
    mistakes.check()
    name = folder.relative_to(root).as_posix()
    return Sample(name, image, size, partial(_draw, objects, size), folder_of(folder, root))


def _draw(objects: Sequence[Path], size: tuple[int, int]) -> Annotation:
    """Number the objects in the order of their files; the later one lies on top."""
    labels = np.zeros(size, np.int32)
    for number, path in enumerate(objects, start=1):
        labels[label_images.read_labels(path) > 0] = number
    return _annotation(labels)


def _from_label_images(
    root: Path, paths: Sequence[Path], images: str, labels: str | None, mistakes: Mistakes
) -> list[Sample]:
    pictures = [path for path in paths if not _is_cellpose(path)]
    by_name = {_normal(root / name): path for name, path in by_stem(root, pictures, mistakes).items()}
    mistakes.check()
    by_name |= {_normal(path.with_suffix("")): path for path in paths if _is_cellpose(path)}
    candidates = [path for path in pictures if path.match(f"{images}.*")]
    place = labels or _place(candidates, by_name, root)
    label_images = {image: _label_image(image, place, by_name) for image in candidates}
    known = set(label_images.values())
    owners: dict[Path, Path] = {}
    samples = []
    for image, label_image in label_images.items():
        if image in known or _is_drawn_by_cellpose(image, by_name):
            continue
        with mistakes.noted():
            if label_image is None:
                raise UserError(_unlabelled(image, place))
            if (other := owners.setdefault(label_image, image)) != image:
                raise UserError(_shared(label_image, other, image))
            samples.append(_labelled(root, image, label_image))
    return samples


def _place(images: Sequence[Path], by_name: dict[Path, Path], root: Path) -> str:
    """Find where label images lie; it is one place for all images.

    Raises
    ------
    UserError
        If they lie nowhere, or in several places.
    """
    counts = {
        place: sum(_label_image(image, place, by_name) is not None for image in images)
        for place in (*LABELS, CELLPOSE)
    }
    places = [place for place in LABELS if counts[place]] or [CELLPOSE] * (counts[CELLPOSE] > 0)
    if len(places) > 1:
        shown = ", ".join(f"{place} ({counts[place]})" for place in places)
        raise UserError(
            f"{root}: label images lie at {shown}; set data.source.instances.labels to one of them"
        )
    if not places:
        raise wrong_layout(root, "instances", f"{root}: no image has a label image; expected {EXPECTED}")
    return places[0]


def _label_image(image: Path, place: str, by_name: dict[Path, Path]) -> Path | None:
    """Find an image's label image, which is another file in the same root."""
    path = by_name.get(_normal(image.parent / place.replace(STEM, stem(image))))
    return None if path == image else path


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _unlabelled(image: Path, place: str) -> str:
    if _is_label_image(image, place):
        return f"{image}: there is no image for this label image; add the image, or move this file away"
    expected = place.replace(STEM, stem(image))
    return (
        f"{image}: there is no label image {expected}.* beside it; annotate the image, or move it elsewhere"
    )


def _shared(label_image: Path, *images: Path) -> str:
    return (
        f"{label_image}: this is the label image of both {' and '.join(map(str, images))}; set "
        "data.source.instances.images to the names of the images alone, such as images/*"
    )


def _is_label_image(path: Path, place: str) -> bool:
    """Tell by its name or folder whether a file is a label image, of whichever image."""
    name, folder = PurePosixPath(place).name, PurePosixPath(place).parent.name
    begins, _, ends = name.partition(STEM)
    named = stem(path).startswith(begins) and stem(path).endswith(ends)
    return named and (path.parent.name == folder if folder else begins + ends != "")


def _is_cellpose(path: Path) -> bool:
    return path.suffix.lower() == cellpose.SUFFIX


def _is_drawn_by_cellpose(path: Path, by_name: dict[Path, Path]) -> bool:
    name = stem(path)
    return any(
        _normal(path.with_name(name.removesuffix(ending))) in by_name
        for ending in DRAWN
        if name.endswith(ending) and name != ending
    )


def _labelled(root: Path, image: Path, label_image: Path) -> Sample:
    name, attributes = image.relative_to(root).with_name(stem(image)).as_posix(), folder_of(image, root)
    if _is_cellpose(label_image):
        size = image_size(image)
        check_size(image, size, label_image, cellpose.read(label_image).shape)
        return Sample(name, image, size, partial(_read, cellpose.read, label_image), attributes)
    image, size = annotated(image, label_image)
    annotate = partial(_read, label_images.read_labels, label_image)
    return Sample(name, image, size, annotate, attributes, by_region=isinstance(image, Slide))


def _read(read: Callable[..., np.ndarray], label_image: Path, region: Region | None = None) -> Annotation:
    return _annotation(read(label_image) if region is None else read(label_image, region))


def _annotation(labels: np.ndarray) -> Annotation:
    return Annotation((labels > 0).astype(np.uint8), labels)
