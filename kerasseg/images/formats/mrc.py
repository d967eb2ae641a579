"""MRC (also CCP4 maps) by mrcfile, a section at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np
from mrcfile import utils

from kerasseg.images.calibration import micrometres
from kerasseg.images.formats.scenes import Scene, chosen, planes

DAMAGES = ()


@contextmanager
def opened(path: Path, name: str | None) -> Iterator[Scene]:
    """Open the volume; see `kerasseg.images.formats.scenes.opened`."""
    chosen(["0"], name, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of fields of the header that say nothing of pixels
        with mrcfile.open(path, permissive=True, header_only=True) as known:
            header, size = known.header.copy(), known.voxel_size.copy()
    shape, dtype = utils.data_shape_from_header(header), utils.data_dtype_from_header(header)
    with path.open("rb") as file:
        file.seek(header.nbytes + int(header.nsymbt))
        decode, block = planes(file, dtype, shape), (*(1 for _ in shape[:-2]), *shape[-2:])
        sizes = {axis: micrometres(float(size[axis.lower()]), "angstrom") for axis in "XYZ"}
        yield Scene(_axes(header, len(shape)), shape, block, dtype.newbyteorder("="), decode, sizes)


def _axes(header: np.recarray, rank: int) -> str:
    """Name the axes: the header says which of X, Y and Z columns, rows and sections are."""
    stored = [int(header.maps), int(header.mapr), int(header.mapc)]
    named = "".join("XYZ"[axis - 1] for axis in stored) if sorted(stored) == [1, 2, 3] else "ZYX"
    return "YX" if rank == 2 else "?" * (rank - 3) + named
