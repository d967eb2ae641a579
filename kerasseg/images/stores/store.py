"""Images of any size, read by region: what prediction cuts its tiles out of.

with open_store("slice.ome.tif") as store:
    print(store.axes, store.shape, store.pixel_size)
    tile = store.read((slice(0, 512), slice(512, 1024)))
"""

from __future__ import annotations

import atexit
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import calibration, files, tiff
from kerasseg.images.calibration import PixelSize
from kerasseg.images.formats import scenes
from kerasseg.images.headers import as_intensities, intensity_type
from kerasseg.images.stores import address, hdf5, omezarr, slices, tiffblocks
from kerasseg.images.stores.address import Inside
from kerasseg.images.stores.axes import Arrangement, arrangement
from kerasseg.images.stores.blocks import Blocks, cuts

BAND_BYTES = 2**23  # of what statistics look at in one go
KEPT_OPEN, KEPT_BYTES = 16, 2**26  # images that are read here and there, and decoded blocks of each

Region = tuple[slice, ...]


class Store:
    """An open image of any size. Its pixels are read by region, and it is closed as a context manager.

    Parameters
    ----------
    path : Path
        The file or folder.
    blocks : Blocks
        The stored array.
    arrangement : Arrangement
        What its axes are.
    pixel_size : tuple of float or None
        One for each axis in space, in micrometres; None where the file does not say.
    finish : callable
        From stored numbers (..., C') to what is read (..., C).
    resources : ExitStack
        What is closed with the store.
    lossy : bool
        Whether the file was compressed with loss, so that its numbers may not be those that were meant.

    Attributes
    ----------
    axes : str
        YXC or ZYXC: channels are always there, and last.
    shape : tuple of int
        The length of each axis.
    dtype : numpy.dtype
        uint8, uint16 or float32; any where the very numbers were asked for.
    opening : Opening
        How it was opened, so that another process can open it too.
    """

    opening: Opening

    def __init__(
        self,
        path: Path,
        blocks: Blocks,
        arrangement: Arrangement,
        pixel_size: PixelSize,
        *,
        finish: Callable[[np.ndarray], np.ndarray] = as_intensities,
        resources: ExitStack | None = None,
        lossy: bool = False,
    ) -> None:
        self.path, self.pixel_size, self.lossy = path, pixel_size, lossy
        self._blocks, self._arrangement, self._finish = blocks, arrangement, finish
        self._resources = resources or ExitStack()
        self._resources.callback(blocks.close)
        nothing = finish(np.empty((*(0 for _ in arrangement.space), arrangement.shape[-1]), blocks.dtype))
        self.axes = arrangement.space + "C"
        self.shape = (*arrangement.shape[:-1], nothing.shape[-1])
        self.dtype = nothing.dtype

    def show_only(self, channel: int) -> None:
        """Be an image of one channel from here on, counted from 0 among those that it has.

        Raises
        ------
        UserError
            If it has no such channel.
        """
        if not 0 <= channel < self.shape[-1]:
            raise UserError(
                f"{self.path}: it has no channel {channel}; expected one from 0 to {self.shape[-1] - 1}"
            )
        finish = self._finish
        self._finish = lambda stored: finish(stored)[..., channel : channel + 1]
        self.shape = (*self.shape[:-1], 1)

    def read(self, region: Region) -> np.ndarray:
        """Read a part of the image.

        Parameters
        ----------
        region : tuple of slice
            One for each axis in space; what lies outside the image is left out.

        Returns
        -------
        numpy.ndarray
            (Y, X, C) or (Z, Y, X, C), of the store's type.

        Raises
        ------
        UserError
            If the pixels there cannot be read; those elsewhere may still be.
        """
        if len(region) != len(self.shape) - 1:
            raise ValueError(f"a region of {len(region)} axes; expected one for each of {self.axes[:-1]}")
        inside = tuple(_within(part, length) for part, length in zip(region, self.shape, strict=False))
        try:
            stored = self._blocks.read(self._arrangement.region(inside))
            return self._finish(self._arrangement.arrange(stored))
        except tiff.DAMAGES as error:
            raise UserError(self._unreadable(inside, error)) from error

    def __getitem__(self, region: Region) -> np.ndarray:
        """Slice the image as an array is sliced, by one slice for each axis in space: see :meth:`read`."""
        return self.read(region)

    @property
    def in_blocks(self) -> bool:
        """Whether the image lies in several blocks, so that a part is read without the rest."""
        return math.prod(self._blocks.block) < math.prod(self._blocks.shape)

    def bands(self) -> Iterator[Region]:
        """Cut the image into bands of whole rows, top to bottom, that suit how it is stored.

        Yields
        ------
        tuple of slice
            A region for :meth:`read`, of full width and about ``BAND_BYTES``.
        """
        *depth, height, width = self.shape[:-1]
        *planes, rows, _ = self._arrangement.along_space(self._blocks.block)
        row_bytes = math.prod((*planes, width, self.shape[-1])) * self.dtype.itemsize
        rows *= max(1, BAND_BYTES // (row_bytes * rows))
        steps = [*map(cuts, depth, planes), cuts(height, rows), [slice(0, width)]]
        yield from itertools.product(*steps)

    def keep(self, most: int) -> None:
        """Keep at most so many bytes of decoded blocks; by default those of the last band."""
        self._blocks.keep(most)

    def close(self) -> None:
        """Close the file."""
        self._resources.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unreadable(self, region: Region, error: Exception) -> str:
        where = ", ".join(f"{a} {part.start}:{part.stop}" for a, part in zip(self.axes, region, strict=False))
        if not self.path.exists():
            return (
                f"{self.path}: the file vanished while it was read at {where}; bring it back and start again"
            )
        return (
            f"{self.path}: the pixels at {where} cannot be read ({error}). Copy the file again, "
            "or cut out the part that is whole"
        )


def open_store(
    path: Path,
    axes: str | None = None,
    *,
    dataset: str | None = None,
    values: bool = False,
    channel: int | None = None,
) -> Store:
    """Open an image of any size for reading by region.

    Parameters
    ----------
    path : Path
        A TIFF of any kind (strips or tiles, BigTIFF, OME-TIFF, a stack), the folder of an OME-Zarr or of a
        Zarr array, an HDF5 file (also as it is typed, ``FILE.h5:DATASET``), a folder of 2-D images that are
        the planes of a volume, a microscope's own file (`kerasseg.images.formats`), or a PNG, JPEG or BMP
        file, which can only be decoded whole.
    axes : str, optional
        What the stored axes are, such as ``"ZYX"``; needed where the file does not say, and obeyed where it
        does. Letters are Z, Y, X, C (channels), S (samples), and any other for an axis of length 1. The axes
        of a folder of planes are those of the folder: its files', and before these one that counts them.
    dataset : str, optional
        Which of several images in a file, by its name there: a dataset in HDF5, an image or array in a Zarr,
        a scene. ``"t=3"``, also behind a name and a comma, is a point of time. See
        `kerasseg.images.stores.address`.
    values : bool, default False
        Whether to read the very numbers that are stored, as masks and labels need them: of any type, and
        indices instead of a palette's colours.
    channel : int, optional
        The only one to be read, counted from 0.

    Returns
    -------
    Store
        To be closed, as ``with`` does.

    Raises
    ------
    UserError
        If there is no such file, it is damaged or absurdly large, its axes do not make one image, or it has
        no such channel.
    """
    path, typed = address.parted(Path(path))
    dataset, axes = dataset or typed, axes.upper() if axes else None
    store = _opened(path, axes, dataset, values)
    store.opening = Opening(path.resolve(), axes, dataset, values, channel)
    if channel is not None:
        store.show_only(channel)
    return store


@dataclass(frozen=True)
class Opening:
    """How an image was opened: see `open_store`."""

    path: Path
    axes: str | None
    dataset: str | None
    values: bool
    channel: int | None = None

    def __call__(self) -> Store:
        """Open it again."""
        return open_store(**vars(self))


def kept_open(
    path: Path, axes: str | None = None, *, dataset: str | None = None, values: bool = False
) -> Store:
    """Open an image whose parts are read here and there, and keep it open while it is one of the last few.

    Parameters and errors are those of :func:`open_store`.

    Returns
    -------
    Store
        Not to be closed, and read by any number of threads: it closes when nobody holds it any more.
    """
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _kept_open(Opening(path, axes, dataset, values), changed)


@lru_cache(maxsize=KEPT_OPEN)
def _kept_open(opening: Opening, changed: int) -> Store:
    """Open an image anew where its file was changed."""
    store = opening()
    store.keep(KEPT_BYTES)
    return store


atexit.register(_kept_open.cache_clear)  # libraries cannot close files any more once they are taken down


def _opened(path: Path, axes: str | None, dataset: str | None, values: bool) -> Store:
    inside = address.inside(dataset)
    reader = None if path.is_dir() else files.format_of(path)
    if reader and hdf5.is_hdf5(path):
        return _open_hdf5(path, axes, inside, values)
    if reader is scenes:
        return _open_scene(path, axes, inside, values)
    if reader is None and (omezarr.is_zarr(path) or path.suffix == ".zarr"):
        return _open_zarr(path, axes, inside, values)
    if inside.name is not None:
        raise UserError(
            f"{path}: dataset={dataset!r} is for files that hold several images (HDF5, Zarr, microscopes'), "
            "and this is not one of them; leave it out"
        )
    if reader:
        return (_open_tiff if reader is tiff else _open_whole)(path, axes, inside.time, values)
    return _open_slices(path, axes, inside.time, values)


def _open_tiff(path: Path, axes: str | None, time: int | None, values: bool) -> Store:
    with ExitStack() as resources:
        file = resources.enter_context(tiff.opened(path))
        series = tiff.only_series(file, path)
        tiff.check_complete(file, path)
        page = series.keyframe
        names = axes or series.axes
        arrangement(
            names, series.shape, str(path), time=time
        )  # a mistake is told in the axes that a user sees
        stored = tiffblocks.axes_of(series, names)
        arranged = arrangement(*stored, str(path), tiff.orientation_of(page), time)
        blocks = tiffblocks.blocks_of(series, columns=arranged.axes.index("X"))
        intensity_type(blocks.dtype)
        size, lossy = calibration.of_tiff(file, arranged.space), tiff.is_lossy(page)
        finish = partial(tiff.numbers if values else tiff.intensities, file=file, series=series)
        return Store(path, blocks, arranged, size, finish=finish, resources=resources.pop_all(), lossy=lossy)


def _open_hdf5(path: Path, axes: str | None, inside: Inside, values: bool) -> Store:
    with ExitStack() as resources:
        file = resources.enter_context(hdf5.opened(path))
        dataset = hdf5.chosen(file, path, inside.name)
        name, named = f"{path}:{dataset.name[1:]}", axes or hdf5.axes_of(dataset)
        arranged = arrangement(named, dataset.shape, name, time=inside.time)
        blocks = hdf5.blocks_of(dataset, path, arranged.axes.index("X"))
        size = tuple(map(hdf5.sizes_of(dataset).get, arranged.space))
        finish = _as_stored if values else as_intensities
        return Store(path, blocks, arranged, size, finish=finish, resources=resources.pop_all())


def _open_zarr(path: Path, axes: str | None, inside: Inside, values: bool) -> Store:
    array, named, sizes = omezarr.full_resolution(path, inside.name)
    arranged = arrangement(axes or named, array.shape, str(path), time=inside.time)
    blocks = omezarr.blocks_of(array, path, arranged.axes.index("X"))
    size = tuple(map(sizes.get, arranged.space))
    return Store(path, blocks, arranged, size, finish=_as_stored if values else as_intensities)


def _open_scene(path: Path, axes: str | None, inside: Inside, values: bool) -> Store:
    with ExitStack() as resources:
        scene = resources.enter_context(scenes.opened(path, inside.name))
        arranged = arrangement(axes or scene.axes, scene.shape, str(path), time=inside.time)
        blocks = scenes.blocks_of(scene, path, arranged.axes.index("X"))
        size = tuple(map(scene.sizes.get, arranged.space))
        finish = _as_stored if values else as_intensities
        return Store(path, blocks, arranged, size, finish=finish, resources=resources.pop_all())


def _open_slices(path: Path, axes: str | None, time: int | None, values: bool) -> Store:
    planes = slices.opened(path, files.read_values if values else files.read)
    arranged = arrangement(slices.axes_of(axes), planes.shape, str(path), time=time)
    blocks = slices.blocks_of(planes, arranged.axes.index("X"))
    size = tuple(map(slices.sizes_of(planes).get, arranged.space))
    return Store(path, blocks, arranged, size, finish=_as_stored)


def _open_whole(path: Path, axes: str | None, time: int | None, values: bool) -> Store:
    image = files.read_values(path) if values else files.read(path)
    arranged = arrangement(axes or "YXC", image.shape, str(path), time=time)
    blocks = Blocks(image.shape, image.shape, image.dtype, lambda index: image, arranged.axes.index("X"))
    unknown, lossy = (None,) * len(arranged.space), files.header(path).lossy
    return Store(path, blocks, arranged, unknown, finish=_as_stored, lossy=lossy)


def _as_stored(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _within(part: slice, length: int) -> slice:
    start = min(max(part.start or 0, 0), length)
    stop = length if part.stop is None else min(part.stop, length)
    return slice(start, max(start, stop))
