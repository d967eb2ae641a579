"""Images that nobody outlined: each is of one class as a whole, or of none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.listing import by_stem, existing, folder_of, image_size, listed
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images import arrays, files
from kerasseg.images.folders import stem
from kerasseg.images.headers import Embedded
from kerasseg.synthetic.origin import MARKER

LABELS = (("images", "labels"), ("x", "y"), ("idx3", "idx1"))
"""What stands in the name of images, and in that of their labels."""


def whole_images(root: Path, classes: list[str], *, class_from: str | None = None) -> list[Sample]:
    """List images of any kind, and those in .npz and IDX files.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        Names of the classes 1, 2, ...
    class_from : {"folder", "label"}, optional
        What says of which class all pixels of an image are: the name of its folder, or its label in its
        file. By default nothing does, and masks are 0.

    Returns
    -------
    list of Sample
        Their attributes are ``folder`` and ``file``, the file's name without suffix.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root, mistakes = existing(root), Mistakes()
    paths = files.find(root, (*files.SUFFIXES, *arrays.SUFFIXES), known=(MARKER.lower(),))
    in_arrays = [path for path in paths if path.name.lower().endswith(arrays.SUFFIXES)]
    samples = []
    for name, path in by_stem(root, (path for path in paths if path not in in_arrays), mistakes).items():
        with mistakes.noted():
            attributes = {**folder_of(path, root), "file": stem(path)}
            samples.append(_sample(name, path, image_size(path), attributes, classes, class_from))
    contents = {}
    for path in in_arrays:
        with mistakes.noted():
            contents |= {(path, name): array for name, array in arrays.read_arrays(path).items()}
    for key in contents:
        with mistakes.noted():
            samples += _from_array(root, key, contents, classes, class_from)
    mistakes.check()
    return listed(samples, root, "whole_images", "images, or images in .npz or IDX files")


def _from_array(
    root: Path,
    key: tuple[Path, str],
    contents: Mapping[tuple[Path, str], np.ndarray],
    classes: list[str],
    class_from: str | None,
) -> Iterator[Sample]:
    """Yield a sample for each image of an array; nothing of one that holds labels."""
    path, name = key
    images = contents[key]
    if images.ndim == 1:
        return
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (*images.shape, 1)[3] not in (1, 3):
        raise UserError(
            f"{path}: {name} is {images.dtype} of shape {images.shape}; expected uint8 images (N, Y, X) or "
            "(N, Y, X, C) of 1 or 3 channels"
        )
    labels = _labels_of(key, contents)
    folder = path.relative_to(root).with_suffix("").as_posix()
    if name not in ("images", path.name):
        folder += f"/{name}"
    attributes = {**folder_of(path, root), "file": stem(path)}
    for index, image in enumerate(images):
        label = None if labels is None else str(labels[index])
        picture = Embedded(path, partial(_png, image))
        yield _sample(
            f"{folder}/{index:05d}", picture, image.shape[:2], attributes, classes, class_from, label
        )


def _labels_of(key: tuple[Path, str], contents: Mapping[tuple[Path, str], np.ndarray]) -> np.ndarray | None:
    """Find the labels of an array of images, by name and number: in its file, or in one beside it."""
    path, name = key
    for images, labels in LABELS:
        other = name.replace("images", "labels").replace(images, labels)
        for place in ((path, other), (path.with_name(other), other)):
            found = contents.get(place)
            if found is not None and found.shape == contents[key].shape[:1]:
                return found
    return None


def _sample(
    name: str,
    image: Path | Embedded,
    size: tuple[int, int],
    attributes: Mapping[str, str],
    classes: list[str],
    class_from: str | None,
    label: str | None = None,
) -> Sample:
    class_id = 0
    if class_from is not None:
        class_name = Path(attributes["folder"]).name if class_from == "folder" else label
        if class_name not in classes:
            problem = "has no label" if class_name is None else unknown("class", class_name, classes)
            raise UserError(f"{image}: {problem} (data.classes; data.source.whole_images.class_from)")
        class_id = classes.index(class_name) + 1
    return Sample(name, image, size, partial(_annotate, size, class_id), attributes)


def _annotate(size: tuple[int, int], class_id: int) -> Annotation:
    return Annotation(np.full(size, class_id, np.uint8))


def _png(image: np.ndarray) -> bytes:
    """Encode an image as what a sample may lie in; NumPy's arrays are red first, OpenCV's are not."""
    pixels = image[..., ::-1] if image.ndim == 3 else image
    return cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
