"""Leica LIF by liffile, a frame at a time; each image of the experiment is one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import liffile
import numpy as np

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Index, Scene, chosen

DAMAGES = (liffile.LifFileError, NotImplementedError)


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open an image; see `kerasseg.images.formats.scenes.opened`."""
    with liffile.LifFile(path) as file:
        images = list(file.images)
        image = images[chosen([one.path for one in images], name, path)]
        dims, shape = image.dims, image.shape
        inner = 3 if dims[-1] == "S" else 2
        outer = dims[:-inner]
        block = (*(1 for _ in outer), *shape[-inner:])

        def decode(index: Index) -> np.ndarray:
            frame = image.frame(**dict(zip(outer, index, strict=False)))
            return frame.reshape(block)

        axes = "".join(axis if len(axis) == 1 else "?" for axis in dims)
        yield Scene(axes, shape, block, image.dtype, decode, _sizes(image))


def _sizes(image: liffile.LifImage) -> dict[str, float | None]:
    """Read the step from one pixel's centre to the next, which is in metres."""
    coordinates = {axis: image.coords[axis] for axis in "XYZ" if len(image.coords.get(axis, ())) > 1}
    return {
        axis: micrometres(abs(float(positions[1] - positions[0])), "m")
        for axis, positions in coordinates.items()
    }
