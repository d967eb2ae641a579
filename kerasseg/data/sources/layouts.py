"""Which layout a folder of data looks like, for messages to those who chose another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kerasseg.annotations.kaggle import is_table
from kerasseg.errors import UserError
from kerasseg.files import read_json
from kerasseg.images import arrays, files, folders
from kerasseg.images.folders import stem

ENDINGS = ("_labels", "_masks", "_cp_masks", "_seg")  # of label images beside their images
MANY = 3  # files of a kind that are looked into
MASKS = {0, 1, 255}  # what masks of one class hold


def wrong_layout(root: Path, source: str, *problems: str) -> UserError:
    """Say that nothing in a folder fits, and what it looks like instead.

    Parameters
    ----------
    root : Path
        The folder of the data.
    source : str
        The source that was chosen.
    *problems : str
        What is missing or wrong; the last is followed by the hint.
    """
    *others, last = problems
    hints = [f"{looks}: use source: {of}{keys}" for of, looks, keys in _looks(root) if of != source]
    hints += [f"{looks}: set {keys.strip()}" for of, looks, keys in _looks(root) if of == source and keys]
    return UserError(*others, "; ".join([last, *hints[:1]]))


def subfolder(root: Path, name: str, source: str, key: str) -> Path:
    """Return a folder in the root that a key of the source names.

    Raises
    ------
    UserError
        If it is none; the message names the layout that was probably meant.
    """
    folder = root / name
    if folder.is_dir():
        return folder
    there = ", ".join(path.name for path in folders.entries(root) if path.is_dir())
    problem = "this is a file; expected a folder" if folder.exists() else "there is no such folder"
    beside = f"; there are {there}" if there else ""
    raise wrong_layout(root, source, f"{folder}: {problem} (data.source.{source}.{key}){beside}")


def _looks(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what a folder may be, likeliest first: a source, why, and the keys that it needs."""
    paths = folders.walk(root)
    parents = {path.parent.name for path in paths}
    if any(is_table(path) for path in _some(paths, (".csv",))):
        yield "sartorius", "a CSV file holds run lengths", ""
    for path in _some(paths, (".json",)):
        yield from _of_json(path, root)
    if {"JPEGImages", "SegmentationClass"} <= parents:
        yield (
            "images_masks",
            "these look like masks from CVAT",
            " {images: JPEGImages, masks: SegmentationClass}",
        )
    if any(folders.is_store(path) or path.suffix.lower() in (".h5", ".hdf5") for path in paths):
        yield "volumes", "these look like volumes", ""
    if any(path.name.lower().endswith(arrays.SUFFIXES) for path in paths):
        yield "whole_images", "there are files of many images, such as MNIST's", ""
    images = _some(paths, files.SUFFIXES)
    if any(map(_is_stack, images)):
        yield "volumes", "these look like volumes", ""
        return
    if masks := _some((path for path in paths if path.parent.name in ("masks", "labels")), files.SUFFIXES):
        yield from _of_masks(masks)
    stems = {path.with_name(stem(path)) for path in paths}
    for ending in ENDINGS:
        if any(path.with_name(path.name + ending) in stems for path in stems):
            yield "instances", f"there are label images {{stem}}{ending} beside images", ""
    if any(path.with_name(f"{path.name}_mask") in stems for path in stems):
        yield "images_masks", "there are masks beside images", " {images: ., masks: ., suffix: _mask}"


def _some(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    return [path for path in paths if path.suffix.lower() in suffixes][:MANY]


def _of_json(path: Path, root: Path) -> Iterator[tuple[str, str, str]]:
    try:
        document = read_json(path)
    except UserError:
        return
    keys = document.keys() if isinstance(document, dict) else set()
    if "shapes" in keys:
        yield "labelme", "these look like labelme's files", ""
    if {"images", "annotations"} <= keys:
        name = path.relative_to(root).as_posix()
        yield "coco", f"{name} looks like a COCO file", f" {{annotations: {name}}}"


def _is_stack(path: Path) -> bool:
    try:
        return files.header(path).pages > 1
    except UserError:
        return False


def _of_masks(masks: Iterable[Path]) -> Iterator[tuple[str, str, str]]:
    """Tell label images of objects from masks of classes."""
    values: set[float] = set()
    for path in masks:
        try:
            values |= set(np.unique(files.read_values(path)).tolist())
        except UserError:
            continue
    if len(values) > len(MASKS) or values - MASKS:
        yield "instances", "these look like label images of objects", ""
    if values:
        yield "images_masks", "these look like images and masks of classes", ""
