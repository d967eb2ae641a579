"""MRC (also CCP4 maps) by mrcfile, which maps the file into memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scene import Index, Scene, chosen, part

DAMAGES = ()


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open the volume; see `kerasseg.images.formats.table.opened`."""
    chosen(["0"], name, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of fields of the header that say nothing of pixels
        file = mrcfile.mmap(path, mode="r", permissive=True)
    with file:
        array = file.data
        if array is None:
            raise EOFError("its header does not fit its length")
        shape, block = array.shape, (*(1 for _ in array.shape[:-2]), *array.shape[-2:])

        def decode(index: Index) -> np.ndarray:
            return np.array(array[part(index, block, shape)])

        axes = _axes(file)
        yield Scene(axes, shape, block, array.dtype.newbyteorder("="), decode, _sizes(file))


def _axes(file: mrcfile.mrcfile.MrcFile) -> str:
    """Name the axes: the header says which of X, Y and Z columns, rows and sections are."""
    header = file.header
    stored = [int(header.maps), int(header.mapr), int(header.mapc)]
    named = "".join("XYZ"[at - 1] for at in stored) if sorted(stored) == [1, 2, 3] else "ZYX"
    if file.data.ndim == 2:
        return "YX"
    return "?" * (file.data.ndim - 3) + named


def _sizes(file: mrcfile.mrcfile.MrcFile) -> dict[str, float | None]:
    size = file.voxel_size  # in angstroms
    return {axis: micrometres(float(size[axis.lower()]), "angstrom") for axis in "XYZ"}
