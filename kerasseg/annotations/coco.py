"""COCO's JSON file: images, categories, and annotations as polygons or run lengths (cocodataset.org)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations import rle
from kerasseg.annotations.documents import (
    checked_points,
    checked_size,
    contained,
    read_json,
    told_together,
    write_json_list,
)
from kerasseg.annotations.draw import draw_instance
from kerasseg.annotations.shapes import (
    BACKGROUND_LABEL,
    CROWD,
    IGNORE_LABEL,
    SCORE,
    Drawing,
    Shape,
    instances,
)
from kerasseg.annotations.trace import label_shapes
from kerasseg.errors import UserError

_SECTIONS = ("images", "categories", "annotations")
_POLYGONS = {"polygon", "oriented_rectangle"}


def read(path: Path) -> list[Drawing]:
    """Read and check a COCO file.

    Parameters
    ----------
    path : Path
        The JSON file.

    Returns
    -------
    list of Drawing
        One for each image, annotated or not. Polygons stay polygons, those of one annotation under one
        ``group_id``; run lengths, compressed or not, become ``mask`` shapes. Labels are names of categories.

    Raises
    ------
    UserError
        If the file is missing or no COCO file, or an annotation is wrong; all wrong ones are named at once.
    """
    path = Path(path)
    document = read_json(path)
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in _SECTIONS):
        raise UserError(f"{path}: this is not a COCO file; expected an object with {', '.join(_SECTIONS)}")
    names = {_key(entry, "id", path): _key(entry, "name", path) for entry in document["categories"]}
    drawings = {_key(entry, "id", path): _image(entry, path) for entry in document["images"]}
    with told_together(ValueError, UserError) as reading:
        for at, entry in enumerate(document["annotations"]):
            with reading(f"{path}: annotation {at}"):
                drawing = _looked_up(drawings, entry, "image_id")
                label = _looked_up(names, entry, "category_id")
                drawing.shapes.extend(_shapes(entry, label, drawing.size, group_id=at + 1))
    return list(drawings.values())


def write(path: Path, drawings: Iterable[Drawing], classes: Sequence[str]) -> None:
    """Write a COCO file.

    Parameters
    ----------
    path : Path
        The JSON file to appear.
    drawings : iterable of Drawing
        Each instance becomes an annotation: polygons as they are, any other shape as compressed run lengths
        of its pixels. A region to ignore becomes a crowd of every class, which means the same; background,
        for which COCO has no word, is left out.
    classes : sequence of str
        The categories 1, 2, ...
    """
    drawings = list(drawings)
    images = [(drawing.image_path, drawing.size) for drawing in drawings]
    groups = (
        (image_id, shapes)
        for image_id, drawing in enumerate(drawings, start=1)
        for shapes in instances([shape for shape in drawing.shapes if shape.label != BACKGROUND_LABEL])
    )
    _write(path, images, groups, classes)


def write_objects(
    path: Path, name: str, size: tuple[int, int], objects: Iterable[Shape], classes: Sequence[str]
) -> None:
    """Write the objects of one image, one after another.

    Parameters
    ----------
    path : Path
        The JSON file to appear.
    name : str
        The image.
    size : tuple of int
        Its height and width.
    objects : iterable of Shape
        One an object.
    classes : sequence of str
        The categories 1, 2, ...
    """
    _write(path, [(name, size)], ((1, [shape]) for shape in objects), classes)


def _write(
    path: Path,
    images: list[tuple[str | None, tuple[int, int]]],
    groups: Iterable[tuple[int, list[Shape]]],
    classes: Sequence[str],
) -> None:
    """Write instances as they come, each with the number of its image."""
    ids = {label: at for at, label in enumerate(classes, start=1)}
    listed = [
        {"id": at, "file_name": name, "height": height, "width": width}
        for at, (name, (height, width)) in enumerate(images, start=1)
    ]
    categories = [{"id": at, "name": label} for label, at in ids.items()]
    entries = (
        {"image_id": image_id, "category_id": category_id} | _annotation(shapes, images[image_id - 1][1])
        for image_id, shapes in groups
        for category_id in (ids.values() if shapes[0].label == IGNORE_LABEL else [ids[shapes[0].label]])
    )
    numbered = ({"id": at} | entry for at, entry in enumerate(entries, start=1))
    write_json_list(Path(path), {"images": listed, "categories": categories}, "annotations", numbered)


def _key(entry: Any, key: str, path: Path) -> Any:
    """Take what an image or category cannot be without."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int | str):
        raise UserError(f"{path}: an entry of images or categories has {key} {value!r}; expected a {key}")
    return value


def _image(entry: dict, path: Path) -> Drawing:
    name = contained(entry.get("file_name"), path, "file_name")
    if name is None:
        raise UserError(f"{path}: image {entry['id']!r} has no file_name")
    size = checked_size(entry.get("height"), entry.get("width"), path, f"height and width of {name}")
    return Drawing(name, size, [])


def _looked_up(found: dict, entry: Any, key: str) -> Any:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int | str) or value not in found:
        raise ValueError(f"its {key} is {value!r}, which the file does not list")
    return found[value]


def _shapes(entry: dict, label: str, size: tuple[int, int], group_id: int) -> list[Shape]:
    """Read one annotation; a ValueError says what is wrong."""
    segmentation = entry.get("segmentation")
    other = {key: entry[key] for key in (CROWD, SCORE) if entry.get(key)}
    if isinstance(segmentation, dict):
        mask = _run_length_mask(segmentation, size)
        return [_with(shape, other) for shape in label_shapes(mask.astype(np.uint8), lambda _: label)]
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it has no segmentation; expected polygons or run lengths, boxes are not enough")
    group = group_id if len(segmentation) > 1 else None
    return [Shape(label, _polygon(part, size), group_id=group, other=other) for part in segmentation]


def _with(shape: Shape, other: dict) -> Shape:
    shape.other.update(other)
    return shape


def _polygon(numbers: Any, size: tuple[int, int]) -> np.ndarray:
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise ValueError("a polygon is no list of x, y, x, y, ...")
    return checked_points([numbers[at : at + 2] for at in range(0, len(numbers), 2)], "polygon", size)


def _run_length_mask(segmentation: dict, size: tuple[int, int]) -> np.ndarray:
    counts, given = segmentation.get("counts"), segmentation.get("size")
    if given != list(size):
        raise ValueError(f"its run lengths are of size {given}; the image is {list(size)}")
    if not isinstance(counts, str | list):
        raise ValueError("its counts are neither a string nor a list")
    return rle.from_counts(rle.decompress(counts) if isinstance(counts, str) else counts, size)


def _annotation(shapes: list[Shape], size: tuple[int, int]) -> dict[str, Any]:
    crowd = int(not all(shape.is_object for shape in shapes))
    outlined = not crowd and all(shape.shape_type in _POLYGONS for shape in shapes)
    entry = _of_polygons([shape.points for shape in shapes]) if outlined else _of_pixels(shapes, size)
    said = {SCORE: shapes[0].other[SCORE]} if SCORE in shapes[0].other else {}
    return entry | {CROWD: crowd} | said


def _of_polygons(outlines: list[np.ndarray]) -> dict[str, Any]:
    corners = np.concatenate(outlines)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return {
        "segmentation": [points.ravel().tolist() for points in outlines],
        "area": float(sum(map(_area, outlines))),
        "bbox": [*low.tolist(), *(high - low).tolist()],
    }


def _of_pixels(shapes: list[Shape], size: tuple[int, int]) -> dict[str, Any]:
    held = draw_instance(shapes, size)
    if held is None:
        counts, box, area = [size[0] * size[1]], [0, 0, 0, 0], 0
    else:
        column, row = held.points[0].astype(int).tolist()
        height, width = held.mask.shape
        counts = rle.box_counts(held.mask, (row, column), size)
        box, area = [column, row, width, height], int(held.mask.sum())
    runs = {"size": list(size), "counts": rle.compress(counts)}
    return {"segmentation": runs, "area": area, "bbox": box}


def _area(points: np.ndarray) -> float:
    """Measure a polygon (Gauss' shoelace)."""
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
