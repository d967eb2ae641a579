"""Olympus OIB and OIF by oiffile: a TIFF for each plane, in one file or in a folder beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import oiffile

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Index, Scene, chosen

DAMAGES = (oiffile.OifFileError,)


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open the image; see `kerasseg.images.formats.scenes.opened`."""
    chosen(["0"], name, path)
    with oiffile.OifFile(path) as file:
        if not file.series:
            raise EOFError("its planes are missing")
        planes = file.series[0]
        names = dict(zip(planes.indices, planes, strict=True))
        first = file.asarray(planes[0])
        outer = planes.axes
        shape, block = (*planes.shape, *first.shape), (*(1 for _ in outer), *first.shape)

        def decode(index: Index) -> np.ndarray:
            place = index[: len(outer)]
            if place not in names:
                raise EOFError(f"the plane at {outer} {place} is missing")
            return file.asarray(names[place]).reshape(block)

        axes = outer + ("YX" if first.ndim == 2 else "YXS")
        yield Scene(axes, shape, block, first.dtype, decode, _sizes(file))


def _sizes(file: oiffile.OifFile) -> dict[str, float | None]:
    """Read micrometres a pixel from the reference image's width and height, and the interval of planes."""
    picture = file.mainfile.get("Reference Image Parameter", {})
    lengths = {
        "X": (picture.get("WidthConvertValue"), picture.get("WidthUnit")),
        "Y": (picture.get("HeightConvertValue"), picture.get("HeightUnit")),
    }
    common = (file.mainfile.get(f"Axis {number} Parameters Common", {}) for number in range(8))
    for axis in common:
        if axis.get("AxisCode") == "Z":
            lengths["Z"] = (axis.get("Interval"), axis.get("UnitName") or axis.get("PixUnit"))
    return {
        axis: micrometres(abs(float(length)), str(unit))
        for axis, (length, unit) in lengths.items()
        if length is not None
    }
