"""A volume or a slide in a file or a folder, named by all that it takes to open it.

volume = Volume(Path("ovule.h5"), dataset="raw")
volume.header().size, volume.header().spacing, volume.read().shape
volume.read((slice(0, 64), slice(0, 64), slice(0, 64)))  # of any size: only what is asked for is read
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError
from kerasseg.images.headers import Header, check_whole, sane
from kerasseg.images.stores.store import Region, Store, kept_open, open_store


@dataclass(frozen=True)
class Stored:
    """An image of any size, or a mask of it, not read yet.

    Attributes
    ----------
    path : Path
        What `kerasseg.images.stores.store.open_store` opens.
    axes : str, optional
        What the stored axes are, such as ``"ZCYX"``, where the file does not say.
    dataset : str, optional
        Which of several in a file; see `kerasseg.images.stores.address`.
    """

    path: Path
    axes: str | None = None
    dataset: str | None = None

    rank: ClassVar[int]
    expected: ClassVar[str]

    def __str__(self) -> str:
        """Name it in messages, as it is typed on the command line."""
        return f"{self.path}:{self.dataset}" if self.dataset else str(self.path)

    def header(self) -> Header:
        """Tell size, channels, type and spacing, without reading a pixel.

        Raises
        ------
        UserError
            As `kerasseg.images.stores.store.open_store`; if it has another number of sides; or if it can
            only be read whole, and is too large for that.
        """
        with self._opened() as store:
            return self._header(store)

    def read(self, region: Region | None = None) -> np.ndarray:
        """Read the whole, or a part of it.

        Parameters
        ----------
        region : tuple of slice, optional
            One for each axis in space.

        Returns
        -------
        numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C), uint8, uint16 or float32

        Raises
        ------
        UserError
            As :meth:`header`, if pixels cannot be read, or if the whole is asked for and too large.
        """
        return self._read(region, values=False)

    def read_values(self, region: Region | None = None) -> np.ndarray:
        """Read the very numbers that are stored, as masks and labels need them.

        Returns
        -------
        numpy.ndarray, shape (Y, X, C) or (Z, Y, X, C)
            Of any type; a palette's indices instead of its colours.

        Raises
        ------
        UserError
            As :meth:`read`.
        """
        return self._read(region, values=True)

    def mask_bands(self) -> Iterator[np.ndarray]:
        """Read the numbers of a mask band after band, so that no more than one is in memory."""
        with self._opened(values=True) as store:
            self._header(store)
            yield from map(store.read, track(list(store.bands()), f"{self}: looking at the mask"))

    def kept_open(self, *, values: bool = False) -> Store:
        """Open it for reading here and there: see `kerasseg.images.stores.store.kept_open`."""
        return kept_open(self.path, self.axes, dataset=self.dataset, values=values)

    def stat(self) -> SimpleNamespace:
        """Give the length of its file, or of all in its folder, as ``st_size``, as a path does."""
        return SimpleNamespace(st_size=sum(file.stat().st_size for file in self.files()))

    def files(self) -> list[Path]:
        """List its file, or all in its folder."""
        return sorted(path for path in [self.path, *self.path.rglob("*")] if path.is_file())

    def _opened(self, *, values: bool = False) -> Store:
        return open_store(self.path, self.axes, dataset=self.dataset, values=values)

    def _header(self, store: Store) -> Header:
        if len(store.shape) != self.rank + 1:
            sides = " x ".join(map(str, store.shape[:-1]))
            raise UserError(f"{self}: this is {self.expected.format(sides)}")
        spacing = None if None in store.pixel_size else store.pixel_size
        size, channels = store.shape[:-1], store.shape[-1]
        facts = {"spacing": spacing, "lossy": store.lossy, "in_blocks": store.in_blocks}
        return sane(Header(self, size, channels, store.dtype, **facts))

    def _read(self, region: Region | None, *, values: bool) -> np.ndarray:
        """Read a part, or the whole band after band, so that no more than one is held twice."""
        if region is not None:
            return self.kept_open(values=values).read(region)
        with self._opened(values=values) as store:
            check_whole(self._header(store))
            pixels = np.empty(store.shape, store.dtype)
            for band in store.bands():
                pixels[band] = store.read(band)
        return pixels


class Volume(Stored):
    """An image of three sides: a TIFF stack, an HDF5 file, an OME-Zarr, a microscope's file, or slices."""

    rank = 3
    expected = (
        "a 2-D image of {} pixels; expected a volume. If the file names its axes wrongly, give them, such as "
        'axes="ZYX"'
    )


class Slide(Stored):
    """An image of two sides that is too large to be read whole, in tiles or strips."""

    rank = 2
    expected = "a stack of {} pixels; expected a single image"
