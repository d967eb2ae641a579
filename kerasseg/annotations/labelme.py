"""labelme's JSON files of every version, from those without a version to 7, and X-AnyLabeling's."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasseg.annotations.documents import (
    POINTS,
    Options,
    Plan,
    checked_points,
    checked_size,
    collect_errors,
    contained,
    image_beside,
    plan_each,
    read_each,
)
from kerasseg.annotations.draw import draw_instance
from kerasseg.annotations.shapes import CORNER_POLYGON, Drawing, Drawings, Shape, instances
from kerasseg.annotations.trace import mask_polygons, outline
from kerasseg.errors import UserError, unknown
from kerasseg.files import read_json, write_json_list
from kerasseg.images import files
from kerasseg.images.headers import Embedded

VERSION = "6.3.1"  # whose format is written

_SHAPE_KEYS = {"label", "points", "shape_type", "group_id", "mask", "flags", "description"}
_KEYS = {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}
_NOT_BASE64 = (OSError, TypeError, ValueError, SyntaxError, Image.DecompressionBombError)


def read(path: Path) -> Drawing:
    """Read and check a labelme file.

    Parameters
    ----------
    path : Path
        The JSON file. Where it does not say the image's size, as old versions do not, the image is asked.

    Raises
    ------
    UserError
        If the file is missing, no labelme file, or any shape is wrong; all wrong shapes are named at once.
    """
    path = Path(path)
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise UserError(f'{path}: this is not a labelme file; expected an object with "shapes", a list')
    image_path = contained(document.get("imagePath"), path, "imagePath")
    size = _size(document, image_path, path)
    return Drawing(
        image_path=image_path,
        size=size,
        shapes=_shapes(document["shapes"], size, path),
        image_data=document.get("imageData") or None,
        flags=document.get("flags") or {},
        version=document.get("version"),
        other={key: value for key, value in document.items() if key not in _KEYS},
    )


def embedded_image(path: Path) -> Embedded:
    """Find the image that a labelme file holds itself, in ``imageData``.

    Parameters
    ----------
    path : Path
        The JSON file. Its length is checked whenever it is read, and the image's size before it is decoded.

    Returns
    -------
    Embedded
        Which :func:`kerasseg.images.files.header` and :func:`~kerasseg.images.files.read` take as they take a
        path; they refuse what is damaged or no image.
    """
    return Embedded(path, lambda: _image_file(read_json(path), path))


def write(path: Path, drawing: Drawing) -> None:
    """Write a drawing as a labelme file, with all that was read and is not understood.

    Parameters
    ----------
    drawing : Drawing
        What it shall hold; its shapes may be any iterable, and are written one after another.
    """
    head = {
        **drawing.other,
        "version": drawing.version or VERSION,
        "flags": drawing.flags,
        "imagePath": drawing.image_path,
        "imageData": drawing.image_data,
        "imageHeight": drawing.size[0],
        "imageWidth": drawing.size[1],
    }
    write_json_list(Path(path), head, "shapes", map(_shape_json, drawing.shapes))


def _size(document: dict, image_path: str | None, path: Path) -> tuple[int, int]:
    """Take the size that the file says, else that of the embedded image, else that of the image beside."""
    height, width = document.get("imageHeight"), document.get("imageWidth")
    if height is None and width is None:
        if document.get("imageData"):
            image = Embedded(path, partial(_image_file, document, path))
        elif image_path is not None:
            image = path.parent / image_path
        else:
            raise UserError(
                f"{path}: neither imageHeight, imageData nor imagePath says how large the image is"
            )
        height, width = files.header(image).size
    return checked_size(height, width, path, "imageHeight and imageWidth")


def _image_file(document: dict, path: Path) -> bytes:
    """Decode the image file that a document holds."""
    try:
        return base64.b64decode(document.get("imageData"))
    except _NOT_BASE64 as error:
        raise UserError(f"{path}: imageData is not an image in base64 ({error}); save it again") from error


def _shapes(documents: list, size: tuple[int, int], path: Path) -> list[Shape]:
    """Check every shape, and name all that are wrong at once."""
    shapes = []
    with collect_errors(ValueError) as reading:
        for number, document in enumerate(documents):
            label = document.get("label") if isinstance(document, dict) else None
            with reading(f"{path}: shape {number} ({label!r})"):
                shapes.append(_shape(document, size))
    return shapes


def _shape(document: Any, size: tuple[int, int]) -> Shape:
    """Check one shape; a ValueError says what is wrong."""
    if not isinstance(document, dict):
        raise ValueError("it is not an object")
    shape_type = _as_labelme(document.get("shape_type") or "polygon", document.get("points"))
    if not isinstance(shape_type, str) or shape_type not in POINTS:
        raise ValueError(unknown("shape_type", str(shape_type), POINTS))
    if document.get("label") is None:
        raise ValueError("it has no label")
    points = checked_points(document.get("points"), shape_type, size)
    return Shape(
        label=_typed(document, "label", str, ""),
        points=points,
        shape_type=shape_type,
        group_id=_typed(document, "group_id", int, None),
        mask=_mask(document.get("mask"), points) if shape_type == "mask" else None,
        flags=_typed(document, "flags", dict, {}),
        description=_typed(document, "description", str, ""),
        other={key: value for key, value in document.items() if key not in _SHAPE_KEYS},
    )


def _as_labelme(shape_type: Any, points: Any) -> Any:
    """Name X-AnyLabeling's shapes as labelme does: its rectangles have four corners, also where turned."""
    if shape_type == "rotation":
        return "oriented_rectangle"
    four_corners = isinstance(points, list) and len(points) == 4
    return "oriented_rectangle" if shape_type == "rectangle" and four_corners else shape_type


def _typed(document: dict, key: str, kind: type, absent: Any) -> Any:
    """Take a value of a type, or what stands for null and for no value."""
    value = document.get(key)
    if value is None:
        return absent
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected {kind.__name__}")
    return value


def _mask(given: Any, points: np.ndarray) -> np.ndarray:
    """Decode a mask's PNG, as large as its box give or take the pixel by which labelme lets them drift."""
    box = np.diff(points.astype(int), axis=0)[0, ::-1] + 1
    try:
        with Image.open(io.BytesIO(base64.b64decode(given))) as image:
            size = image.size[::-1]
            fits = image.mode in ("1", "L", "P") and (np.abs(size - box) <= 1).all()
            mask = np.asarray(image).astype(bool) if fits else None
    except _NOT_BASE64 as error:
        raise ValueError(f"its mask is not a PNG in base64 ({error})") from error
    if mask is None:
        expected = f"{box[0]} x {box[1]} pixels as its box, one value each"
        raise ValueError(f"its mask is {size[0]} x {size[1]}, {image.mode}; expected {expected}")
    return mask


def _shape_json(shape: Shape) -> dict[str, Any]:
    return {
        **shape.other,
        "label": shape.label,
        "points": shape.points.tolist(),
        "group_id": shape.group_id,
        "description": shape.description,
        "shape_type": shape.shape_type,
        "flags": shape.flags,
        "mask": None if shape.mask is None else _png(shape.mask),
    }


def _png(mask: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a folder of labelme files, or one."""
    return read_each(source, (".json",), read)


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan a labelme file for each drawing, beside its image where that is in the folder."""
    beside = {name: _beside(drawing, target / name) for name, drawing in drawings.items()}
    return plan_each(beside, target, ".json", write)


def _beside(drawing: Drawing, stem: Path) -> Drawing:
    """Name the image as it stands beside the JSON file to be, whose size it must have."""
    image = image_beside(stem)
    if image is None:
        return replace(drawing, image_path=Path(drawing.image_path or stem).name)
    size = files.header(image).size
    if size != drawing.size:
        raise UserError(f"{image}: the image is {size} (height, width), its annotation {drawing.size}")
    return replace(drawing, image_path=image.name)


def outline_drawings(drawings: Drawings, tolerance: float) -> tuple[Drawings, Drawings]:
    """Outline what is pixels, and what was outlined along corners, through the centres of pixels."""
    outlined = {}
    for name, drawing in drawings.items():
        shapes: list[Shape] = []
        for group in instances(drawing.shapes):
            along_corners = group[0].shape_type == CORNER_POLYGON
            shapes += filter(None, [draw_instance(group, drawing.size)]) if along_corners else group
        outlined[name] = replace(drawing, shapes=outline(shapes, tolerance))
    return outlined, outlined


def write_objects(
    path: Path,
    name: str,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Sequence[str],
    *,
    tolerance: float,
) -> None:
    """Write the objects of one image as polygons, one after another."""
    numbered = enumerate(objects, start=1)
    polygons = (polygon for number, shape in numbered for polygon in mask_polygons(shape, tolerance, number))
    write(path, Drawing(name, size, polygons))
