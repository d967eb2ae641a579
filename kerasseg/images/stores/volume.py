"""A volume in a file or a folder, named by all that it takes to open it.

volume = Volume(Path("ovule.h5"), dataset="raw")
volume.header().size, volume.header().spacing, volume.read().shape
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.headers import Header, sane
from kerasseg.images.stores.store import Store, open_store


@dataclass(frozen=True)
class Volume:
    """An image of three sides, or a mask of them, not read yet.

    Attributes
    ----------
    path : Path
        A TIFF stack, an HDF5 file, the folder of an OME-Zarr, a microscope's file, or a folder of slices.
    axes : str, optional
        What the stored axes are, such as ``"ZCYX"``, where the file does not say.
    dataset : str, optional
        Which of several in a file; see `kerasseg.images.stores.address`.
    """

    path: Path
    axes: str | None = None
    dataset: str | None = None

    def __str__(self) -> str:
        """Name it in messages, as it is typed on the command line."""
        return f"{self.path}:{self.dataset}" if self.dataset else str(self.path)

    def header(self) -> Header:
        """Tell size, channels, type and spacing, without reading a voxel.

        Raises
        ------
        UserError
            As `kerasseg.images.stores.store.open_store`; and if it has no depth, or more than ``MAX_VOXELS``.
        """
        with self._opened() as store:
            return self._header(store)

    def read(self) -> np.ndarray:
        """Read the whole.

        Returns
        -------
        numpy.ndarray, shape (Z, Y, X, C), uint8, uint16 or float32

        Raises
        ------
        UserError
            As :meth:`header`, and if voxels cannot be read.
        """
        return self._whole(values=False)

    def read_values(self) -> np.ndarray:
        """Read the very numbers that are stored, as masks and labels need them.

        Returns
        -------
        numpy.ndarray, shape (Z, Y, X, C)
            Of any type; a palette's indices instead of its colours.

        Raises
        ------
        UserError
            As :meth:`read`.
        """
        return self._whole(values=True)

    def stat(self) -> SimpleNamespace:
        """Give the length of its file, or of all in its folder, as ``st_size``, as a path does."""
        return SimpleNamespace(st_size=sum(file.stat().st_size for file in self._files()))

    def read_bytes(self) -> bytes:
        """Read its file, or all in its folder one after the other, as a path does."""
        return b"".join(file.read_bytes() for file in self._files())

    def _files(self) -> list[Path]:
        return sorted(path for path in [self.path, *self.path.rglob("*")] if path.is_file())

    def _opened(self, *, values: bool = False) -> Store:
        return open_store(self.path, self.axes, dataset=self.dataset, values=values)

    def _header(self, store: Store) -> Header:
        if len(store.shape) < 4:
            shown = " x ".join(map(str, store.shape[:-1]))
            raise UserError(
                f"{self}: this is a 2-D image of {shown} pixels; expected a volume. If the "
                'file names its axes wrongly, give them, such as axes="ZYX"'
            )
        spacing = None if None in store.pixel_size else store.pixel_size
        return sane(Header(self, store.shape[:-1], store.shape[-1], store.dtype, spacing=spacing))

    def _whole(self, *, values: bool) -> np.ndarray:
        """Read band after band, so that no more than one is held twice."""
        with self._opened(values=values) as store:
            self._header(store)
            voxels = np.empty(store.shape, store.dtype)
            for band in store.bands():
                voxels[band] = store.read(band)
        return voxels
