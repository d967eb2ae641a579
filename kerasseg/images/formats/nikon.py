"""Nikon ND2 by nd2: a frame, which has all channels, at a time; positions are images of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nd2
import numpy as np

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Index, Scene, chosen

DAMAGES = ()
FRAME = "CYXS"


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open a position; see `kerasseg.images.formats.scenes.opened`."""
    with nd2.ND2File(path) as file:
        loops = [axis for axis in file.sizes if axis not in FRAME]
        lengths = [file.sizes[axis] for axis in loops]
        outer = "".join(axis for axis in loops if axis != "P")
        position = chosen(_names(file), name, path)
        frame = tuple(file.sizes.get(axis, 1) for axis in FRAME)

        def decode(index: Index) -> np.ndarray:
            places = dict(zip(outer, index, strict=False), P=position)
            place = [places[axis] for axis in loops]
            number = int(np.ravel_multi_index(place, lengths)) if loops else 0
            return file.read_frame(number).reshape(*(1 for _ in outer), *frame)

        shape = (*(file.sizes[axis] for axis in outer), *frame)
        block = (*(1 for _ in outer), *frame)
        yield Scene(outer + FRAME, shape, block, file.dtype, decode, _sizes(file))


def _names(file: nd2.ND2File) -> list[str]:
    count = file.sizes.get("P", 1)
    points = [
        point for loop in file.experiment if loop.type == "XYPosLoop" for point in loop.parameters.points
    ]
    names = [point.name or "" for point in points]
    return names if len(names) == count else [str(number) for number in range(count)]


def _sizes(file: nd2.ND2File) -> dict[str, float | None]:
    """Read micrometres a pixel; files without calibration say 1."""
    channels = getattr(file.metadata, "channels", None)
    calibrated = channels[0].volume.axesCalibrated if channels else (False,) * 3
    size = file.voxel_size()
    sizes = zip("XYZ", (size.x, size.y, size.z), calibrated, strict=True)
    steps = any(loop.type == "ZStackLoop" for loop in file.experiment)
    return {
        axis: micrometres(length, "um") for axis, length, known in sizes if known or (axis == "Z" and steps)
    }
