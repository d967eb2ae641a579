"""Zeiss CZI by pylibCZIrw: mosaics are laid together, and scenes are images of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
from pylibCZIrw import czi

from kerasseg.errors import UserError
from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Index, Scene, chosen, part

DAMAGES = ()
SIDE = 1024  # of what is read at once: libCZI composes any rectangle
TYPES = {
    "Gray8": (np.uint8, 1),
    "Gray16": (np.uint16, 1),
    "Gray32Float": (np.float32, 1),
    "Bgr24": (np.uint8, 3),
    "Bgr48": (np.uint16, 3),
}


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open a scene; see `kerasseg.images.formats.scenes.opened`."""
    with czi.open_czi(str(path)) as document:
        scenes = document.scenes_bounding_rectangle
        numbers = sorted(scenes) or [None]
        number = numbers[chosen(_names(document, numbers), name, path)]
        place = document.total_bounding_rectangle if number is None else scenes[number]
        yield _scene(document, number, place, path)


def _scene(document: czi.CziReader, number: int | None, place: czi.Rectangle, path: Path) -> Scene:
    kinds = set(document.pixel_types.values())
    if len(kinds) > 1 or not kinds <= set(TYPES):
        raise UserError(
            f"{path}: its channels are {', '.join(sorted(kinds))}; expected one of {', '.join(TYPES)}, the "
            "same for all. Save the channels as files of their own"
        )
    dtype, samples = TYPES[kinds.pop()]
    bounds = document.total_bounding_box
    outer = "".join(axis for axis in bounds if axis not in "XY")
    starts = [bounds[axis][0] for axis in outer]
    shape = (*(bounds[axis][1] - bounds[axis][0] for axis in outer), place.h, place.w, samples)
    block = (*(1 for _ in outer), min(SIDE, place.h), min(SIDE, place.w), samples)

    def decode(index: Index) -> np.ndarray:
        *planes, rows, columns, _ = part(index, block, shape)
        plane = {axis: start + span.start for axis, start, span in zip(outer, starts, planes, strict=True)}
        width, height = columns.stop - columns.start, rows.stop - rows.start
        roi = (place.x + columns.start, place.y + rows.start, width, height)
        pixels = document.read(roi=roi, plane=plane, scene=number)
        return pixels[..., ::-1].reshape(*(1 for _ in outer), height, width, samples)  # BGR to RGB

    axes = outer + "YXS"
    return Scene(axes, shape, block, np.dtype(dtype), decode, _sizes(document))


def _names(document: czi.CziReader, numbers: list[int | None]) -> list[str]:
    """Read the names of scenes, which are numbered in the metadata too."""
    image = _metadata(document, "Information", "Image", "Dimensions", "S", "Scenes") or {}
    names = {scene.get("@Index"): scene.get("@Name") for scene in _listed(image.get("Scene"))}
    return [names.get(str(number)) or str(number) for number in numbers]


def _sizes(document: czi.CziReader) -> dict[str, float | None]:
    items = _metadata(document, "Scaling", "Items") or {}
    return {
        distance["@Id"]: micrometres(float(distance["Value"]), "m")
        for distance in _listed(items.get("Distance"))
        if distance.get("Value")
    }


def _metadata(document: czi.CziReader, *keys: str) -> Any:
    try:
        element: Any = document.metadata
    except ExpatError:
        return None  # metadata that are broken are no reason to refuse the pixels
    for key in ("ImageDocument", "Metadata", *keys):
        element = element.get(key) if isinstance(element, dict) else None
    return element


def _listed(found: Any) -> list[dict[str, Any]]:
    """Undo that a single element of XML is not a list."""
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []
