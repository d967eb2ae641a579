"""ImageJ's ROI files: a zip of ROIs as its ROI Manager saves and opens it, outlined along pixels' corners.

An object without holes and of one part is a polygon; any other is a composite, which ImageJ fills by the
even-odd rule. A ROI's properties say its class and score, its group the number of its class, its position
the channel, slice and frame. ROIs know nothing of images; what we write names the image and its size in the
zip's comment, which ImageJ leaves alone. Areas are read as ImageJ fills them; lines, points, text and images
are left out and counted.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.annotations import rings
from kerasseg.annotations.documents import Options, Plan, agreed_image, collect_errors, plan_each, read_each
from kerasseg.annotations.imagejoutlines import outline
from kerasseg.annotations.masks import palette
from kerasseg.annotations.planes import counted, placed, size_and_stack_beside
from kerasseg.annotations.rings import IMAGEJ, filled_shape, pixel_objects, shape_polygons
from kerasseg.annotations.shapes import CROWD, EVERYWHERE, SCORE, Drawing, Drawings, Plane, Shape
from kerasseg.errors import UserError
from kerasseg.files import MAX_BYTES, write_atomically

if TYPE_CHECKING:
    from roifile import ImagejRoi

CLASS = "class"  # among a ROI's properties
_MOVE, _LINE, _CLOSE = 0, 1, 4  # Java's names for the steps of a path
_HEADER, _PROPERTIES = 60, 40  # where a ROI says where its second header is, and there its properties
_FARTHEST = 60_535  # beyond which ImageJ's 16-bit numbers no longer reach
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    OSError,
    RuntimeError,
    NotImplementedError,
    struct.error,
)


def read(
    path: Path,
    classes: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    stack: Plane | None = None,
) -> Drawing:
    """Read and check a zip of ROIs, or one ``.roi`` file.

    Parameters
    ----------
    classes : sequence of str, optional
        Names of the classes 1, 2, ...: a ROI that does not name its own is of the one with its group's
        number, or else of the first.
    size : tuple of int, optional
        Height and width of the image; what the file says of it, if it says anything, by default.
    stack : Plane, optional
        How many channels, slices and frames the image has, if that is known.

    Returns
    -------
    Drawing
        Each area as a ``mask`` shape of the pixels that ImageJ fills; all else is left out and counted.

    Raises
    ------
    UserError
        If the file is missing or damaged, the image's size is unknown, or a ROI is wrong, of no class or on a
        plane that the image does not have; all wrong ones are named at once.
    """
    from roifile import ImagejRoi

    path = Path(path)
    said, contents = _contents(path)
    name, size = agreed_image(said, size, path)
    shapes, left_out = [], Counter()
    with collect_errors(*_DAMAGES) as reading:
        for entry, content in contents.items():
            with reading(f"{path}: {entry}"):
                roi = ImagejRoi.frombytes(content)
                if kind := _no_area(roi):
                    left_out[kind] += roi.n_coordinates if kind == "point" else 1
                else:
                    shapes.append(_shape(roi, content, classes, size, stack))
    drawing = Drawing(name, size, list(filter(None, shapes)), stack=stack, left_out=left_out)
    return placed(drawing, path)


def write_objects(
    path: Path,
    name: str | None,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Iterable[str],
    *,
    tolerance: float = 0,
) -> None:
    """Write a zip of ROIs, one object after another.

    Parameters
    ----------
    classes : iterable of str
        Names of the classes 1, 2, ..., whose colours are those of masks.
    tolerance : float, default 0
        Pixels by which an outline may move.
    """
    ids, colours = {label: number for number, label in enumerate(classes, start=1)}, palette()
    image = {"name": name, "height": size[0], "width": size[1]}
    with write_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.comment = json.dumps(image).encode()
        for number, shape in enumerate(objects, start=1):
            class_id = ids.get(shape.label, 0)
            roi = _roi(shape, tolerance)
            roi.name = f"{shape.label}-{number:05}"
            roi.group = class_id
            roi.stroke_color = bytes([255, *colours[class_id].tolist()])
            entry = zipfile.ZipInfo(f"{roi.name.replace('/', '_')}.roi")  # of a fixed date
            archive.writestr(entry, roi.tobytes(), zipfile.ZIP_DEFLATED)


def _contents(path: Path) -> tuple[Any, dict[str, bytes]]:
    """Read what is said of the image, and each ROI's bytes by its name; of a sane length, said before."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.suffix.lower() == ".roi":
        return None, {path.name: path.read_bytes()[:MAX_BYTES]}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".roi")]
            total = sum(entry.file_size for entry in entries)
            if total > MAX_BYTES:
                raise UserError(f"{path}: the ROIs have {total:,} bytes; expected at most {MAX_BYTES:,}")
            return _comment(archive), {entry.filename: archive.read(entry) for entry in entries}
    except _DAMAGES as error:
        raise UserError(
            f"{path}: this is not a zip of ROIs, or it is damaged ({error}); save it again"
        ) from error


def _comment(archive: zipfile.ZipFile) -> Any:
    try:
        return json.loads(archive.comment)
    except ValueError:
        return None


def _no_area(roi: ImagejRoi) -> str | None:
    """Name what a ROI is that has no pixels of an object; None for an area."""
    from roifile import ROI_SUBTYPE, ROI_TYPE

    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW):
        return roi.subtype.name.lower()
    areas = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED, ROI_TYPE.RECT, ROI_TYPE.OVAL)
    return None if roi.roitype in areas else roi.roitype.name.lower()


def _shape(
    roi: ImagejRoi, content: bytes, classes: Sequence[str], size: tuple[int, int], stack: Plane | None
) -> Shape | None:
    """Read one area; a ValueError says what is wrong."""
    said = _properties(content)
    label = said.get(CLASS) or _class_of(roi, classes)
    other = ({CROWD: 1} if said.get(CROWD) == "1" else {}) | (
        {SCORE: float(said[SCORE])} if SCORE in said else {}
    )
    rings, stop = outline(roi, content)
    within = tuple(int(min(pair)) for pair in zip(size, stop[::-1], strict=True))
    filled = filled_shape([rings], within, label, other, IMAGEJ)
    return replace(filled, plane=_plane(roi, stack)) if filled else None


def _plane(roi: ImagejRoi, stack: Plane | None) -> Plane:
    """Read a ROI's position, which counts from 1; 0 stands for all."""
    places = (roi.c_position, roi.z_position, roi.t_position)
    if max(places) > 0:
        return Plane(*(place - 1 if place > 0 else None for place in places))
    return counted(roi.position - 1, stack) if roi.position > 0 else EVERYWHERE


def _properties(content: bytes) -> dict[str, str]:
    """Read a ROI's properties; roifile for Python 3.10 cuts them short."""
    (header,) = struct.unpack_from(">i", content, _HEADER)
    if not 0 < header <= len(content) - _PROPERTIES - 8:
        return {}  # as ImageJ wrote them before it knew of properties
    offset, length = struct.unpack_from(">ii", content, header + _PROPERTIES)
    text = content[offset : offset + 2 * length].decode("utf-16-be") if offset > 0 else ""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def _class_of(roi: ImagejRoi, classes: Sequence[str]) -> str:
    if not classes:
        raise ValueError("it does not name its class; name the classes, such as --classes cell")
    return classes[roi.group - 1] if 1 <= roi.group <= len(classes) else classes[0]


def _roi(shape: Shape, tolerance: float) -> ImagejRoi:
    rings = [ring for polygon in shape_polygons(shape, tolerance) for ring in polygon]
    roi = _polygon_roi(rings[0]) if len(rings) == 1 else _composite_roi(rings)
    roi.c_position, roi.z_position, roi.t_position = (
        0 if place is None else place + 1 for place in shape.plane
    )
    said = {CLASS: shape.label} | {key: shape.other[key] for key in (SCORE, CROWD) if key in shape.other}
    roi.props = "".join(f"{key}: {value}\n" for key, value in said.items())
    return roi


def _polygon_roi(ring: np.ndarray) -> ImagejRoi:
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    whole = (ring == ring.round()).all() and ring.max() <= _FARTHEST
    roi = ImagejRoi.frompoints(ring.astype(np.int32 if whole else np.float32))
    roi.roitype = ROI_TYPE.POLYGON
    roi.right, roi.bottom = np.ceil(ring.max(axis=0)).astype(int).tolist()  # corners, not pixels
    roi.options = ROI_OPTIONS(0) if whole else ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    return roi


def _composite_roi(rings: Sequence[np.ndarray]) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    path = np.array([number for ring in rings for number in _path(ring)], np.float32)
    corners = np.concatenate(rings)
    left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
    return ImagejRoi(
        roitype=ROI_TYPE.RECT,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        shape_roi_size=path.size,
        multi_coordinates=path,
    )


def _path(ring: np.ndarray) -> Iterator[float]:
    for number, (x, y) in enumerate(ring.tolist()):
        yield from (_LINE if number else _MOVE, x, y)
    yield _CLOSE


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a folder of zips of ROIs, or one; images beside them say how large they are."""

    def drawing(path: Path) -> Drawing:
        return read(path, options.classes, *size_and_stack_beside(path))

    return read_each(source, (".zip",), drawing)


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan a file for each drawing, with each instance along its pixels, whatever shapes it was drawn by."""

    def write(path: Path, drawing: Drawing) -> None:
        write_objects(
            path,
            Path(drawing.image_path or path.stem).name,
            drawing.size,
            pixel_objects(drawing),
            options.classes,
            tolerance=options.tolerance,
        )

    return plan_each(drawings, target, ".zip", write)


outline_drawings = partial(rings.outline_drawings, rings.IMAGEJ)
