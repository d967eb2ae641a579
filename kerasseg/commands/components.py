"""The verb `components`: a mask of classes cleaned up, its objects numbered by size and measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kerasseg.annotations.masks import refuse_lossy
from kerasseg.commands.measure import RowsOf, note_unsized
from kerasseg.commands.measure import pixel_size as measured_size
from kerasseg.console import say, track
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images import folders, ondisk
from kerasseg.images.masks import IGNORE
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.store import Store, open_store
from kerasseg.images.writing.outputs import appearing, check_free, ending, write
from kerasseg.images.writing.result import Result
from kerasseg.postprocess.cleaning import CleanUp, Objects, number_by_size
from kerasseg.postprocess.components import CONNECTIVITIES
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.table import beside, object_rows
from kerasseg.postprocess.table import write as write_table
from kerasseg.recipe.data import MOST_CLASSES

BAND = 2**24  # voxels that are read together
MOST_COUNTED = 12  # classes whose objects are counted one by one in a line


def components(
    mask: Path,
    out: Path,
    clean_up: CleanUp,
    *,
    classes: Sequence[str] = (),
    connectivity: int | None = None,
    grey: Path | None = None,
    delta: int | None = None,
    pixel_size: Sequence[float] = (),
    axes: str | None = None,
    overwrite: bool = False,
) -> None:
    """Number the objects of a mask of any size, 1 being the largest; write their labels and a table.

    Parameters
    ----------
    mask : Path
        Class ids (Z, Y, X) or (Y, X), in whatever `kerasseg.images.stores.store.open_store` reads.
    out : Path
        The labels to be written, int32: ``.ome.tif``, ``.tif``, ``.ome.zarr`` or ``.zarr``. The table is
        ``NAME.objects.csv`` beside them: what `kerasseg measure` writes of an image's objects.
    clean_up : CleanUp
        What is kept; see `cleaning`.
    classes : sequence of str
        Names of the classes 1, 2, ...; without them the table has their ids.
    connectivity : int, optional
        6, 18 or 26 neighbours of a voxel, 4 or 8 of a pixel; the most by default.
    grey : Path, optional
        The image, uint8 or uint16: neighbours of one class are connected where its values differ by no more
        than `delta`.
    delta : int, optional
        See there.
    pixel_size : sequence of float
        One for each axis in micrometres, where the mask's file does not say.
    axes : str, optional
        See `kerasseg.images.stores.store.open_store`; also of `grey`.
    overwrite : bool
        Whether files that are there are replaced.

    Raises
    ------
    UserError
        If these do not make sense together, or a file cannot be read or written; nothing is left then.
    """
    ending(out)  # or it is refused
    table = beside(out)
    _check_delta(grey, delta)
    check_free((out, table), overwrite)
    with ExitStack() as opened:
        stores = [opened.enter_context(open_store(path, axes, values=True)) for path in (mask, grey) if path]
        refuse_lossy(stores[0], mask)
        shape = _checked_shape(stores, connectivity)
        size = measured_size(pixel_size, stores[0])
        if None in size:
            note_unsized([mask])
        folder = opened.enter_context(appearing(out, table))
        labels = ondisk.create(folder / "labels.npy", np.dtype(np.int32), shape)
        objects = number_by_size(
            _masks(stores[0], len(classes) or MOST_CLASSES),
            labels,
            clean_up,
            connectivity=connectivity or CONNECTIVITIES[len(shape)][-1],
            greys=_bands(stores[1]) if grey else None,
            delta=delta or 0,
        )
        write(folder / out.name, Result(labels, "ZYX"[-len(shape) :], size, "nearest"))
        names = {number: _name(k, classes) for number, k in enumerate(objects.classes.tolist(), start=1)}
        grey_values = RowsOf(stores[1]) if grey else None
        measured = measure(labels, grey_values, lambda bands: track(bands, f"{out.name}: measuring bands"))
        write_table(folder / table.name, object_rows(folders.stem(mask), measured, size, names))
    say(f"wrote {out} and {table}: {_counted(objects, classes)}")


def cleaning(
    classes: Sequence[str],
    *,
    only: Sequence[str] = (),
    smallest: Sequence[str] = (),
    largest: Sequence[str] = (),
    in_planes: bool = False,
) -> CleanUp:
    """Read from words what is kept of a mask.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes 1, 2, ...; there need not be any.
    only : sequence of str
        Names or ids of the classes whose objects are numbered; all by default.
    smallest : sequence of str
        ``CLASS=N`` or, for every other class, ``N``: how many voxels an object has at least.
    largest : sequence of str
        ``CLASS=N`` or, for all classes together, ``N``: how many objects are kept.
    in_planes : bool
        See `CleanUp`.

    Returns
    -------
    CleanUp

    Raises
    ------
    UserError
        If a word is no number or a class unknown; all of them at once.
    """
    mistakes = Mistakes()
    kept = [_class_id(name, classes, "--only", mistakes) for name in only]
    least = _numbers(smallest, classes, "--min-size", mistakes)
    most = _numbers(largest, classes, "--largest", mistakes)
    mistakes.check()
    least = dict.fromkeys(range(1, IGNORE), least.pop(None, 0)) | least
    in_all = most.pop(None, None)
    return CleanUp(frozenset(kept) or None, least, in_planes, most, in_all)


def _numbers(
    words: Sequence[str], classes: Sequence[str], option: str, mistakes: Mistakes
) -> dict[int | None, int]:
    """Read ``CLASS=N`` and ``N``, whose class is None."""
    numbers = {}
    for word in words:
        name, _, number = word.rpartition("=")
        if not number.isdecimal():
            mistakes.add(f"{option} {word}: expected CLASS=N or N, a whole number")
        else:
            numbers[_class_id(name, classes, option, mistakes) if name else None] = int(number)
    return numbers


def _class_id(name: str, classes: Sequence[str], option: str, mistakes: Mistakes) -> int | None:
    if name in classes:
        return classes.index(name) + 1
    if name.isdecimal() and 1 <= int(name) <= (len(classes) or MOST_CLASSES):
        return int(name)
    if classes:
        mistakes.add(f"{option}: {unknown('class', name, classes)}")
    else:
        mistakes.add(
            f"{option} {name}: expected a class id from 1 to {MOST_CLASSES}; or name all by --classes"
        )
    return None


def _check_delta(grey: Path | None, delta: int | None) -> None:
    mistakes = Mistakes()
    if delta is not None and delta < 0:
        mistakes.add(f"--delta {delta}: expected a difference of grey values, 0 or more")
    if delta is not None and grey is None:
        mistakes.add(
            f"--delta {delta}: class ids have no differences, and it would melt classes into one object; "
            "name the image whose grey values it is about by --grey"
        )
    if grey is not None and delta is None:
        mistakes.add(f"--grey {grey}: say by --delta how far neighbours in one object may differ")
    mistakes.check()


def _checked_shape(stores: Sequence[Store], connectivity: int | None) -> tuple[int, ...]:
    """Give the mask's shape, if all that is read has one channel and that shape."""
    shape = stores[0].shape[:-1]
    for store in stores:
        if store.shape != (*shape, 1):
            raise UserError(
                f"{store.path}: its axes {store.axes} are {' x '.join(map(str, store.shape))}; expected one "
                f"channel of {' x '.join(map(str, shape))}; if these are not its axes, name them by --axes"
            )
    if stores[0].dtype.kind not in "biu":
        raise UserError(f"{stores[0].path}: it holds {stores[0].dtype}; expected class ids, whole numbers")
    if connectivity is not None and connectivity not in CONNECTIVITIES[len(shape)]:
        choices = ", ".join(map(str, CONNECTIVITIES[len(shape)]))
        raise UserError(
            f"--connectivity {connectivity}: {stores[0].path} has {len(shape)} axes; choose one of {choices}"
        )
    return shape


def _masks(store: Store, classes: int) -> Iterator[np.ndarray]:
    """Read class ids as uint8, whatever type they have in the file."""
    shape, foreground, ignored = store.shape[:-1], False, False
    bands = math.ceil(shape[0] / _height(shape))
    for band in track(_bands(store), f"{store.path.name}: bands", bands):
        strange = band[((band > classes) & (band != IGNORE)) | (band < 0)]
        if strange.size:
            raise UserError(
                f"{store.path}: it holds {strange[0]}; expected class ids from 0 to {classes}, or {IGNORE} "
                "where a pixel is ignored"
            )
        ignored |= bool((band == IGNORE).any())
        foreground |= bool(((band > 0) & (band < IGNORE)).any())
        yield band.astype(np.uint8, copy=False)
    if ignored and not foreground:
        raise UserError(
            f"{store.path}: it holds only 0 and {IGNORE}, which means that a pixel is ignored; expected "
            f"class ids from 1 on. If {IGNORE} is your class, save the mask with 1 instead"
        )


def _bands(store: Store) -> Iterator[np.ndarray]:
    """Read one band of planes, or of rows of an image, after the other."""
    shape = store.shape[:-1]
    for rows in cuts(shape[0], _height(shape)):
        yield store.read((rows, *(slice(0, side) for side in shape[1:])))[..., 0]


def _height(shape: tuple[int, ...]) -> int:
    return max(1, BAND // math.prod(shape[1:]))


def _counted(objects: Objects, classes: Sequence[str]) -> str:
    """Say how many objects of each class there are, or of how many classes they are where those are many."""
    counts = sorted(Counter(objects.classes.tolist()).items())
    each = ", ".join(f"{count:,} of {_name(of_class, classes)}" for of_class, count in counts)
    if len(counts) > MOST_COUNTED:
        each = f"of {len(counts)} classes"
    others = f"; {objects.dropped:,} others are not kept" if objects.dropped else ""
    return f"{len(objects.classes):,} objects" + (f" ({each})" if each else "") + others


def _name(of_class: int, classes: Sequence[str]) -> str:
    return classes[of_class - 1] if classes else str(of_class)
