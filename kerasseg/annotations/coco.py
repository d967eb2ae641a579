"""COCO's JSON file: images, categories, and annotations as polygons or run lengths (cocodataset.org).

Points are corners of pixels, and polygons are filled as pycocotools does, by
:mod:`kerasseg.annotations.corners`. What is written has the very pixels that it was made of: ``area`` counts
them, ``bbox`` holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations import rle
from kerasseg.annotations.documents import (
    Options,
    Plan,
    by_name,
    checked_points,
    checked_size,
    collect_errors,
    contained,
    only_file,
)
from kerasseg.annotations.draw import draw_instance
from kerasseg.annotations.rings import shape_polygons
from kerasseg.annotations.shapes import (
    BACKGROUND_LABEL,
    CORNER_POLYGON,
    CROWD,
    IGNORE_LABEL,
    Drawing,
    Drawings,
    Shape,
    instances,
)
from kerasseg.annotations.trace import label_shapes
from kerasseg.errors import UserError
from kerasseg.files import read_json, write_json_list

_SECTIONS = ("images", "categories", "annotations")
_OUTLINES = {"polygon", "rectangle", "oriented_rectangle", CORNER_POLYGON}
_OWN = {"id", "image_id", "category_id", "segmentation", "area", "bbox", CROWD}  # written anew
_OF_IMAGES = {"id", "file_name", "height", "width"}
CROWDS = ("ignore", "objects")


def read(path: Path, crowds: str = "ignore") -> list[Drawing]:
    """Read and check a COCO file.

    Parameters
    ----------
    crowds : {"ignore", "objects"}
        What ``iscrowd: 1`` means: COCO's own region of objects that nobody told apart; or an object like any
        other, where a program such as CVAT writes it for every mask that was painted with a brush.

    Returns
    -------
    list of Drawing
        One for each image, annotated or not; an image that is listed twice is one, with all its annotations.
        Polygons are ``corner_polygon`` shapes, those of one annotation under one ``group_id``; run lengths,
        compressed or not, become ``mask`` shapes. Labels are names of categories. What else an annotation
        says is in ``other``.

    Raises
    ------
    UserError
        If the file is missing or no COCO file, or an annotation is wrong; all wrong ones are named at once.
    """
    path = Path(path)
    document = read_json(path)
    listed = document if isinstance(document, dict) else {}
    missing = [key for key in _SECTIONS if not isinstance(listed.get(key), list)]
    if missing:
        raise UserError(
            f"{path}: this is not a COCO file of annotated images, as it has no list {', '.join(missing)}; "
            f"expected an object with {', '.join(_SECTIONS)}"
        )
    names = {_key(entry, "id", path): str(_key(entry, "name", path)) for entry in document["categories"]}
    drawings = _images(document["images"], list(names.values()), path, _left_out(document))
    empty: Counter[int] = Counter()
    with collect_errors(ValueError, UserError) as reading:
        for number, entry in enumerate(document["annotations"], start=1):
            with reading(f"{path}: annotation {number - 1}"):
                drawing = _looked_up(drawings, entry, "image_id")
                label = _looked_up(names, entry, "category_id")
                shapes = _shapes(entry, label, drawing.size, number, crowds)
                drawing.shapes.extend(shapes)
                empty[id(drawing)] += not shapes
    distinct = {id(drawing): drawing for drawing in drawings.values()}
    for key in filter(empty.get, distinct):  # counted as polygons without a pixel are
        left_out = {**distinct[key].left_out, "object without a pixel": empty[key]}
        distinct[key] = replace(distinct[key], left_out=left_out)
    return list(distinct.values())


def write(path: Path, drawings: Iterable[Drawing], classes: Sequence[str]) -> None:
    """Write a COCO file.

    Parameters
    ----------
    drawings : iterable of Drawing
        Each instance becomes an annotation of its pixels: polygons along their corners where it was drawn by
        outlines and has no hole, compressed run lengths elsewhere. A region to ignore becomes a crowd of
        every class, which means the same; background, for which COCO has no word, is left out.
    """
    drawings = list(drawings)
    groups = (
        (image_id, shapes)
        for image_id, drawing in enumerate(drawings, start=1)
        for shapes in instances(outlined(drawing.shapes, drawing.size))
    )
    _write(path, drawings, groups, classes)


def write_objects(
    path: Path,
    name: str,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Sequence[str],
    *,
    tolerance: float = 0,
) -> None:
    """Write the objects of one image as run lengths, one after another.

    Parameters
    ----------
    objects : iterable of Shape
        One an object.
    tolerance : float
        Run lengths keep every pixel, whatever it is.
    """
    _write(path, [Drawing(name, size, [])], ((1, [shape]) for shape in objects), classes)


def outlined(shapes: Sequence[Shape], size: tuple[int, int]) -> list[Shape]:
    """Bring the shapes of one image into the forms that COCO knows, with the very pixels that they had.

    Parameters
    ----------
    shapes : sequence of Shape
        What was drawn by outlines and has no hole becomes ``corner_polygon`` shapes along the corners of its
        pixels, all else ``mask`` shapes; what has no pixel is left out.

    Returns
    -------
    list of Shape
        Those of one instance under one ``group_id``; without background, for which COCO has no word.
    """
    shapes, given = [], list(shapes)
    for number, group in enumerate(instances(given), start=1):
        if group[0].label == BACKGROUND_LABEL:
            continue
        kinds = {shape.shape_type for shape in group}
        if kinds == {CORNER_POLYGON} or (
            kinds == {"mask"} and len(group) == 1 and _is_inside(group[0], size)
        ):
            shapes += group
        elif pixels := draw_instance(group, size):
            polygons = shape_polygons(pixels) if kinds <= _OUTLINES and pixels.is_object else []
            if polygons and all(len(rings) == 1 for rings in polygons):  # COCO's polygons know no holes
                outline = replace(pixels, shape_type=CORNER_POLYGON, mask=None, group_id=number)
                shapes += [replace(outline, points=rings[0]) for rings in polygons]
            else:
                shapes.append(pixels)
    return shapes


def _is_inside(shape: Shape, size: tuple[int, int]) -> bool:
    """Tell whether a ``mask`` shape lies in the image with all its pixels, as labelme's may not."""
    low, high = shape.points
    fits = shape.mask.shape == tuple((high - low + 1)[::-1])
    return bool(fits and (low >= 0).all() and (high < size[::-1]).all())


def _write(
    path: Path,
    images: list[Drawing],
    groups: Iterable[tuple[int, list[Shape]]],
    classes: Sequence[str],
) -> None:
    """Write instances as they come, each with the number of its image."""
    ids = {label: number for number, label in enumerate(classes, start=1)}
    listed = [
        {**image.other, "id": number, "file_name": image.image_path}
        | dict(zip(("height", "width"), image.size, strict=True))
        for number, image in enumerate(images, start=1)
    ]
    categories = [{"id": number, "name": label} for label, number in ids.items()]
    entries = (
        {"image_id": image_id, "category_id": category_id} | _annotation(shapes, images[image_id - 1].size)
        for image_id, shapes in groups
        for category_id in (ids.values() if shapes[0].label == IGNORE_LABEL else [ids[shapes[0].label]])
    )
    numbered = ({"id": number} | entry for number, entry in enumerate(entries, start=1))
    write_json_list(Path(path), {"images": listed, "categories": categories}, "annotations", numbered)


def _key(entry: Any, key: str, path: Path) -> Any:
    """Take what an image or category cannot be without."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int | str):
        raise UserError(f"{path}: an entry of images or categories has {key} {value!r}; expected a {key}")
    return value


def _left_out(document: dict) -> dict[str, int]:
    """Count what a file says and no drawing holds."""
    info = document.get("info")
    counts = {
        "COCO's info": int(isinstance(info, dict) and any(info.values())),
        "licence": sum(any(entry.values()) for entry in _listed(document, "licenses")),
        "supercategory": sum(bool(entry.get("supercategory")) for entry in _listed(document, "categories")),
    }
    return {what: count for what, count in counts.items() if count}


def _listed(document: dict, key: str) -> list[dict]:
    entries = document.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _images(
    entries: list, classes: list[str], path: Path, left_out: dict[str, int]
) -> dict[int | str, Drawing]:
    """Start a drawing for each image, by its id; images of one file name share one."""
    drawings: dict[int | str, Drawing] = {}
    by_name: dict[str, Drawing] = {}
    said: dict[str, str] = {}
    for entry in entries:
        key = _key(entry, "id", path)
        name = contained(entry.get("file_name"), path, "file_name")
        if name is None:
            raise UserError(f"{path}: image {key!r} has no file_name")
        size = checked_size(entry.get("height"), entry.get("width"), path, f"height and width of {name}")
        other = {key: value for key, value in entry.items() if key not in _OF_IMAGES}
        first = left_out if not drawings else {}
        drawing = by_name.setdefault(
            name, Drawing(name, size, [], other=other, classes=classes, left_out=first)
        )
        if drawing.size != size:
            raise UserError(f"{path}: {name} is listed twice, as {drawing.size} and {size} (height, width)")
        if said.setdefault(name, entry["file_name"]) != entry["file_name"]:
            raise UserError(
                f"{path}: {said[name]!r} and {entry['file_name']!r} lead outside the folder of this file and "
                "have the same name; name the images from that folder"
            )
        drawings[key] = drawing
    return drawings


def _looked_up(found: dict, entry: Any, key: str) -> Any:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int | str) or value not in found:
        raise ValueError(f"its {key} is {value!r}, which the file does not list")
    return found[value]


def _shapes(entry: dict, label: str, size: tuple[int, int], number: int, crowds: str) -> list[Shape]:
    """Read one annotation; a ValueError says what is wrong."""
    segmentation = entry.get("segmentation")
    other = {key: value for key, value in entry.items() if key not in _OWN and value is not None}
    if entry.get(CROWD) and crowds == "ignore":
        other[CROWD] = 1
    if isinstance(segmentation, dict):
        mask = _run_length_mask(segmentation, size)
        return [replace(shape, other=other) for shape in label_shapes(mask.astype(np.uint8), lambda _: label)]
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(
            "it has no segmentation; expected polygons or run lengths, boxes and keypoints are not enough. "
            "Draw its outline, or take the annotation out"
        )
    group = number if len(segmentation) > 1 else None
    return [
        Shape(label, _polygon(part, size), CORNER_POLYGON, group_id=group, other=other)
        for part in segmentation
    ]


def _polygon(numbers: Any, size: tuple[int, int]) -> np.ndarray:
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise ValueError("a polygon is not a list of x, y, x, y, ...")
    return checked_points(
        [numbers[start : start + 2] for start in range(0, len(numbers), 2)], "polygon", size
    )


def _run_length_mask(segmentation: dict, size: tuple[int, int]) -> np.ndarray:
    counts, given = segmentation.get("counts"), segmentation.get("size")
    if given != list(size):
        raise ValueError(f"its run lengths are of size {given}; the image is {list(size)}")
    if not isinstance(counts, str | list):
        raise ValueError("its counts are neither a string nor a list")
    return rle.from_counts(rle.decompress(counts) if isinstance(counts, str) else counts, size)


def _annotation(shapes: list[Shape], size: tuple[int, int]) -> dict[str, Any]:
    """Write an instance as polygons where it has them, and as run lengths of its pixels elsewhere."""
    other = {key: value for key, value in shapes[0].other.items() if key not in _OWN}
    other |= {CROWD: int(not all(shape.is_object for shape in shapes))}
    pixels = shapes[0] if shapes[0].shape_type == "mask" else draw_instance(shapes, size)
    if pixels is None:
        counts, box, area = [size[0] * size[1]], [0] * 4, 0
    else:
        (column, row), (height, width) = pixels.points[0].astype(int).tolist(), pixels.mask.shape
        box, area = [column, row, width, height], int(pixels.mask.sum())
        if not other[CROWD] and shapes[0].shape_type == CORNER_POLYGON:
            polygons = [shape.points.ravel().tolist() for shape in shapes]
            return other | {"segmentation": polygons, "area": area, "bbox": box}
        counts = rle.box_counts(pixels.mask, (row, column), size)
    runs = {"size": list(size), "counts": rle.compress(counts)}
    return other | {"segmentation": runs, "area": area, "bbox": box}


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a COCO file, or the only JSON file of a folder."""
    drawings = read(only_file(source, ".json"), options.crowds)
    return by_name((Path(drawing.image_path), drawing) for drawing in drawings)


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan one COCO file for all drawings."""
    path = target if target.suffix.lower() == ".json" else target / "annotations.json"
    return {path: partial(write, path, drawings.values(), options.classes)}


def outline_drawings(drawings: Drawings, tolerance: float) -> tuple[Drawings, Drawings]:
    """Bring all drawings into the forms that COCO knows: see :func:`outlined`."""
    brought = {
        name: replace(drawing, shapes=outlined(drawing.shapes, drawing.size))
        for name, drawing in drawings.items()
    }
    return brought, brought
