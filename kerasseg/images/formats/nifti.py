"""NIfTI by nibabel, a plane at a time; slopes and intercepts are applied, as the format means them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Index, Scene, chosen, part

DAMAGES = (
    nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError,
    nibabel.wrapstruct.WrapStructError,
)
MOST_PACKED = 1032  # bytes that one of gzip's can stand for
AXES = "XYZTC"  # the fifth holds the components of vectors


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open the volume; see `kerasseg.images.formats.scenes.opened`."""
    chosen(["0"], name, path)
    with nibabel.openers.ImageOpener(path) as file:
        kind = nibabel.Nifti2Image if file.read(8)[4:7] == b"n+2" else nibabel.Nifti1Image
        file.seek(0)
        image = kind.from_file_map({"image": nibabel.fileholders.FileHolder(fileobj=file)})
        array, header, shape = image.dataobj, image.header, image.shape
        if len(shape) < 2 or 0 in shape:
            raise ValueError(f"its shape is {shape}")
        _check_complete(path, math.prod(shape) * header.get_data_dtype().itemsize)
        corner = np.asarray(array[(slice(0, 1),) * len(shape)])
        block = (*shape[:2], *(1 for _ in shape[2:]))

        def decode(index: Index) -> np.ndarray:
            return np.asarray(array[part(index, block, shape)])

        unit, zooms = header.get_xyzt_units()[0], header.get_zooms()
        sizes = {axis: micrometres(float(zoom), unit) for axis, zoom in zip("XYZ", zooms, strict=False)}
        axes = AXES[: len(shape)] if len(shape) <= len(AXES) else "?" * len(shape)
        yield Scene(axes, shape, block, corner.dtype.newbyteorder("="), decode, sizes)


def _check_complete(path: Path, needed: int) -> None:
    """Refuse a file that cannot hold all of its voxels."""
    length = path.stat().st_size * (MOST_PACKED if path.suffix.lower() == ".gz" else 1)
    if needed > length:
        raise EOFError(f"it holds at most {length} of {needed} bytes")
