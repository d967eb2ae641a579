"""labelme's JSON files of every version, from those without a version to 7."""

from __future__ import annotations

import base64
import binascii
import io
import json
import posixpath
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError, unknown
from kerasseg.images import files

__all__ = ["Drawing", "Shape", "contained", "read", "read_json", "write"]

VERSION = "6.3.1"  # whose format is written
MAX_BYTES = 1 << 28  # of a JSON file; an embedded image makes it large, a mistake makes it larger
SLACK = 1.0  # pixels by which a point may lie outside: older versions do not stop at the border

# How many points a shape has, at least and at most.
POINTS: dict[str, tuple[int, float]] = {
    "polygon": (3, np.inf),
    "rectangle": (2, 2),
    "oriented_rectangle": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, np.inf),
    "point": (1, 1),
    "points": (1, np.inf),
    "mask": (2, 2),
}
_SHAPE_KEYS = {"label", "points", "shape_type", "group_id", "mask", "flags", "description"}
_KEYS = {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}


def read(path: Path) -> Drawing:
    """Read and check a labelme file.

    Parameters
    ----------
    path : Path
        The JSON file. Where it does not say the image's size, as old versions do not, the image is asked.

    Returns
    -------
    Drawing

    Raises
    ------
    UserError
        If the file is missing, no labelme file, or any shape is wrong; all wrong shapes are named at once.
    """
    path = Path(path)
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise UserError(f'{path}: this is not a labelme file; expected an object with "shapes", a list')
    image_path = contained(document.get("imagePath"), path)
    image_data = document.get("imageData") or None
    size = _size(document, image_path, image_data, path)
    return Drawing(
        image_path=image_path,
        size=size,
        shapes=_shapes(document["shapes"], size, path),
        image_data=image_data,
        flags=document.get("flags") or {},
        version=document.get("version"),
        other={key: value for key, value in document.items() if key not in _KEYS},
    )


def write(path: Path, drawing: Drawing) -> None:
    """Write a drawing as a labelme file, with all that was read and is not understood.

    Parameters
    ----------
    path : Path
        The JSON file to appear.
    drawing : Drawing
        What it shall hold.
    """
    document = {
        "version": drawing.version or VERSION,
        "flags": drawing.flags,
        "shapes": [_shape_json(shape) for shape in drawing.shapes],
        "imagePath": drawing.image_path,
        "imageData": drawing.image_data,
        "imageHeight": drawing.size[0],
        "imageWidth": drawing.size[1],
        **drawing.other,
    }
    with files.write_atomically(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file of at most ``MAX_BYTES``.

    Raises
    ------
    UserError
        If the file is missing, too large, or no JSON.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: the file has {path.stat().st_size:,} bytes; expected at most {MAX_BYTES:,}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: this is not JSON ({error})") from error


def contained(image_path: Any, path: Path) -> str | None:
    """Write the path of an image with slashes; it must not leave the folder of the file that names it.

    Parameters
    ----------
    image_path : str or None
        As the file says it; Windows' backslashes are understood.
    path : Path
        The annotation file.

    Raises
    ------
    UserError
        If it is no path, absolute, or climbs out of the folder.
    """
    if image_path is None or image_path == "":
        return None
    if not isinstance(image_path, str) or "\0" in image_path:
        raise UserError(f"{path}: imagePath is {image_path!r}; expected a file name")
    windows = PureWindowsPath(image_path)
    inside = posixpath.normpath(windows.as_posix())
    if windows.anchor or inside == ".." or inside.startswith("../"):
        raise UserError(
            f"{path}: imagePath {image_path!r} leads outside the folder of the JSON file; "
            "put the image beside it and name it alone"
        )
    return inside


def _size(document: dict, image_path: str | None, image_data: Any, path: Path) -> tuple[int, int]:
    """Take the size that the file says, else that of the embedded image, else that of the image beside."""
    given = (document.get("imageHeight"), document.get("imageWidth"))
    if given == (None, None):
        given = _embedded_size(image_data, path) if image_data else _size_beside(image_path, path)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in given)
    if not whole or given[0] * given[1] > files.MAX_PIXELS:
        raise UserError(
            f"{path}: imageHeight and imageWidth are {given[0]!r} and {given[1]!r}; "
            f"expected whole numbers from 1, at most {files.MAX_PIXELS:,} pixels together"
        )
    return given


def _embedded_size(image_data: Any, path: Path) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(base64.b64decode(image_data))) as image:
            return image.size[::-1]
    except (OSError, TypeError, ValueError, binascii.Error, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: imageData is no image in base64 ({error})") from error


def _size_beside(image_path: str | None, path: Path) -> tuple[int, int]:
    if image_path is None:
        raise UserError(f"{path}: neither imageHeight, imageData nor imagePath says how large the image is")
    return files.header(path.parent / image_path).size


def _shapes(documents: list, size: tuple[int, int], path: Path) -> list[Shape]:
    """Check every shape, and name all that are wrong at once."""
    shapes, problems = [], []
    for at, document in enumerate(documents):
        try:
            shapes.append(_shape(document, size))
        except ValueError as error:
            label = document.get("label") if isinstance(document, dict) else None
            problems.append(f"{path}: shape {at} ({label!r}): {error}")
    if problems:
        raise UserError(*problems)
    return shapes


def _shape(document: Any, size: tuple[int, int]) -> Shape:
    """Check one shape; a ValueError says what is wrong."""
    if not isinstance(document, dict):
        raise ValueError("it is not an object")
    shape_type = document.get("shape_type") or "polygon"
    if shape_type not in POINTS:
        raise ValueError(unknown("shape_type", str(shape_type), POINTS))
    points = _points(document.get("points"), shape_type, size)
    return Shape(
        label=_typed(document, "label", str, None),
        points=points,
        shape_type=shape_type,
        group_id=_typed(document, "group_id", int, None, optional=True),
        mask=_mask(document.get("mask"), points, size) if shape_type == "mask" else None,
        flags=_typed(document, "flags", dict, {}, optional=True),
        description=_typed(document, "description", str, "", optional=True),
        other={key: value for key, value in document.items() if key not in _SHAPE_KEYS},
    )


def _typed(document: dict, key: str, kind: type, default: Any, optional: bool = False) -> Any:
    value = document.get(key)
    if value is None and optional:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected {kind.__name__}")
    return value


def _points(given: Any, shape_type: str, size: tuple[int, int]) -> np.ndarray:
    try:
        points = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("points is no list of [x, y]")
    least, most = POINTS[shape_type]
    if not least <= len(points) <= most:
        raise ValueError(
            f"a {shape_type} has {least}{'' if most == least else ' or more'} points, not {len(points)}"
        )
    if not np.isfinite(points).all():
        raise ValueError("a point is NaN or infinite")
    _check_inside(points, size)
    return points


def _check_inside(points: np.ndarray, size: tuple[int, int]) -> None:
    outside = ((points < -SLACK) | (points > np.array(size[::-1]) + SLACK)).any(axis=1)
    if outside.any():
        x, y = points[np.argmax(outside)]
        raise ValueError(
            f"point ({x:g}, {y:g}) lies outside the image of {size[0]} x {size[1]} pixels (height x width)"
        )


def _mask(given: Any, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Decode a mask's PNG, as large as its box give or take the pixel by which labelme lets them drift."""
    expected = np.abs(np.diff(points.astype(int), axis=0))[0, ::-1] + 1
    try:
        with Image.open(io.BytesIO(base64.b64decode(given))) as image:
            if (np.abs(np.array(image.size[::-1]) - expected) > 1).any():
                raise ValueError(f"its mask is {image.size[::-1]} pixels, its box {tuple(expected.tolist())}")
            mask = np.asarray(image)
    except (OSError, TypeError, binascii.Error, Image.DecompressionBombError) as error:
        raise ValueError(f"its mask is no PNG in base64 ({error})") from error
    if mask.ndim != 2:
        raise ValueError(f"its mask has {mask.shape[2]} channels; expected one")
    return mask.astype(bool)


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
