"""The verb `measure`: a row for each object in labels, with its intensities, and a row for each image."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasseg.annotations.formats import OUTLINES
from kerasseg.annotations.label_images import as_labels
from kerasseg.annotations.masks import refuse_lossy
from kerasseg.commands.batch import STORES, images_in
from kerasseg.commands.overlay import draw_overlay
from kerasseg.console import say, track
from kerasseg.errors import Mistakes, Notice, UserError
from kerasseg.images import files, folders
from kerasseg.images.calibration import PixelSize
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.images.stores.store import Store, open_store
from kerasseg.images.writing.outputs import appearing, check_free
from kerasseg.inference.large_image import Output
from kerasseg.postprocess import measurement
from kerasseg.postprocess.table import Tables, beside, check_format, images_table, without_border
from kerasseg.spec import MergedSpec, ModelSpec

LABELS = ".labels"  # what the names of predicted labels end with, before their suffix
ALONGSIDE = (".csv", ".json", ".parquet")  # files that lie beside labels


class Labelled(NamedTuple):
    """Labels to be measured."""

    name: str
    labels: Path
    image: Path | None


class Options(NamedTuple):
    """How labels and images are read, and which objects are left out."""

    classes: Sequence[str] = ()  # of the labels' channels
    known: Sequence[str] = ()  # that objects may have: an image without any of one has a row all the same
    pixel_size: Sequence[float] = ()  # instead of what files say; in micrometres
    exclude_border: bool = False
    label_axes: str | None = None
    image_axes: str | None = None


def measure(
    labels: Path,
    images: Path | None,
    out: Path,
    *,
    classes: Sequence[str] = (),
    pixel_size: Sequence[float] = (),
    exclude_border: bool = False,
    axes: str | None = None,
    overwrite: bool = False,
) -> None:
    """Measure the objects of labels of any size, and write a row for each and a row for each image.

    Parameters
    ----------
    labels : Path
        Instance ids, 0 for background: a file, or a folder of them. Where some are called ``NAME.labels.*``,
        as `kerasseg predict` calls them, only these are taken. What lies beside them as ``NAME.objects.csv``
        says which id has which class.
    images : Path, optional
        Whose intensities are measured: a file, or a folder of files that have the labels' names.
    out : Path
        The table of objects, ``NAME.csv`` or ``NAME.parquet``; that of images is ``NAME.images.csv`` or
        ``.parquet``.
    classes : sequence of str
        The class of the objects, or those of the channels of labels that have several.
    pixel_size : sequence of float
        One for each axis in micrometres, instead of what labels or images say.
    exclude_border : bool
        Whether objects are left out that touch the border of their image.
    axes : str, optional
        See `kerasseg.images.stores.store.open_store`; of images and, without C, of labels.
    overwrite : bool
        Whether tables that are there are replaced.

    Raises
    ------
    UserError
        If a file cannot be read, does not fit its image, or cannot be written; nothing is left then.
    """
    check_format(out)
    check_free((out, images_table(out)), overwrite)
    axes = axes and axes.upper()
    found = _found(labels, images, axes)
    options = Options(
        classes,
        pixel_size=pixel_size,
        exclude_border=exclude_border,
        label_axes=axes and axes.replace("C", "C" if len(classes) > 1 else ""),
        image_axes=axes,
    )
    write_tables(found, out, options)


def write_tables(found: Sequence[Labelled], out: Path, options: Options) -> None:
    """Measure labels one after the other, and write both tables."""
    tables, unsized = Tables(), []
    for each in track(found, "measuring") if len(found) > 1 else found:
        if None in _add(tables, each, options, alone=len(found) == 1):
            unsized.append(each.labels)
    if unsized:
        note_unsized(unsized, len(found))
    with appearing(out, images_table(out)) as folder:
        tables.write(folder / out.name)
    objects = sum(len(table["label"]) for table in tables.objects)
    images = "1 image" if len(found) == 1 else f"{len(found):,} images"
    say(f"wrote {out} and {images_table(out).name}: {objects:,} objects in {images}")


def check_output(output: Output, table: Path | None) -> None:
    """Refuse predictions of which no table or overlay can be made.

    Raises
    ------
    UserError
    """
    if table is not None:
        check_format(table)
    option = "--overlay" if table is None else "--table"
    if output.kind != "labels":
        raise UserError(f"{option} is of objects, and --what {output.kind} has none; choose --what labels")
    if output.format in OUTLINES:
        raise UserError(
            f"{option} is of objects' pixels, and {output.format} holds outlines; choose --to png, tiff or "
            "zarr, and get the outlines by another prediction"
        )


def finish(
    results: Mapping[Path, Path],
    *,
    out: Path,
    spec: ModelSpec | MergedSpec,
    axes: str | None,
    table: Path | None,
    overlay: bool,
) -> None:
    """Draw what was predicted over its images, and measure it.

    Parameters
    ----------
    results : mapping of Path to Path
        From images to their labels.
    out : Path
        Their folder, from which images are named.
    spec : ModelSpec or MergedSpec
        Of what predicted them.
    axes : str or None
        Of the images.
    table : Path or None
        The table to be written; one that is there is replaced.
    overlay : bool
        Whether to draw overlays.
    """
    if overlay:
        for image, labels in track(results.items(), "drawing"):
            draw_overlay(image, labels, axes)
    if table is not None and results:
        names = folders.unique(results.values(), out)
        found = [
            Labelled(names[labels].as_posix().removesuffix(LABELS), labels, image)
            for image, labels in results.items()
        ]
        one_each = spec.multilabel or len(spec.classes) == 1  # otherwise it is said beside the labels
        write_tables(found, table, Options(spec.classes if one_each else (), spec.classes, image_axes=axes))


def _found(labels: Path, images: Path | None, axes: str | None) -> list[Labelled]:
    """Match labels and images by name.

    Raises
    ------
    UserError
        If there are no labels, or an image is missing.
    """
    named = _labels(labels)
    if images is None:
        return [Labelled(name, path, None) for name, path in named.items()]
    by_name = {name.as_posix(): image for image, name in images_in(images, axes)}
    if len(named) == len(by_name) == 1:  # whatever they are called
        return [
            Labelled(name, path, image)
            for path, (name, image) in zip(named.values(), by_name.items(), strict=True)
        ]
    mistakes = Mistakes()
    for name in sorted(named.keys() - by_name.keys()):
        mistakes.add(f"{named[name]}: there is no image {images / name}.*; expected one of the labels' name")
    mistakes.check()
    return [Labelled(name, path, by_name[name]) for name, path in named.items()]


def _labels(labels: Path) -> dict[str, Path]:
    """List labels by the names of their images."""
    if labels.is_file() or labels.suffix in STORES or is_zarr(labels):
        return {folders.stem(labels).removesuffix(LABELS): labels}
    if not labels.exists():
        raise UserError(f"{labels}: there is no such file or folder")
    paths = folders.find(labels, (*files.SUFFIXES, *STORES), ALONGSIDE)
    paths = [path for path in paths if folders.stem(path).endswith(LABELS)] or paths
    if not paths:
        raise UserError(f"{labels}: there are no labels here; expected image files of instance ids")
    names = folders.unique(paths, labels)
    return {name.as_posix().removesuffix(LABELS): path for path, name in names.items()}


def _add(tables: Tables, each: Labelled, options: Options, *, alone: bool) -> PixelSize:
    """Measure one image's objects, by class if labels have a channel for each; give its pixel size."""
    with ExitStack() as opened:
        labels = opened.enter_context(open_store(each.labels, options.label_axes, values=True))
        image = each.image and opened.enter_context(open_store(each.image, options.image_axes))
        shape, channels = labels.shape[:-1], labels.shape[-1]
        refuse_lossy(labels, each.labels)
        _check(labels, image, options.classes)
        size = pixel_size(options.pixel_size, labels, image)
        for channel in range(channels):
            rows = RowsOf(labels, channel)
            shown = (lambda bands: track(bands, f"{each.labels.name}: bands")) if alone else iter
            measured = measurement.measure(rows, image and RowsOf(image), shown)
            if options.exclude_border:
                measured = without_border(measured, shape)
            names = options.classes[channel : channel + 1]
            classes = dict.fromkeys(measured.ids.tolist(), *names) if names else _classes(each.labels)
            tables.add(each.name, measured, shape, size, classes, names or options.known)
    return size


class RowsOf:
    """An open image that is read by rows, or by planes of a volume.

    Parameters
    ----------
    store : Store
    channel : int, optional
        Of labels, which have no axis of channels then; all channels of an image by default.
    """

    def __init__(self, store: Store, channel: int | None = None) -> None:
        self._store, self._channel = store, channel
        self.shape = store.shape if channel is None else store.shape[:-1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        pixels = self._store.read((rows, *(slice(0, side) for side in self._store.shape[1:-1])))
        return pixels if self._channel is None else as_labels(pixels[..., self._channel], self._store.path)


def _check(labels: Store, image: Store | None, classes: Sequence[str]) -> None:
    """Refuse labels that have not the image's size, or not a channel for each class."""
    *shape, channels = labels.shape
    if channels != (len(classes) or 1):
        raise UserError(
            f"{labels.path}: its axes {labels.axes} are {' x '.join(map(str, labels.shape))}; expected "
            f"{len(classes) or 1} channel{'s' * (len(classes) > 1)}; name by --classes what each channel of "
            "labels holds, or by --axes what the axes are"
        )
    if image is not None and list(image.shape[:-1]) != shape:
        raise UserError(
            f"{labels.path}: the labels are {' x '.join(map(str, shape))}, and their image {image.path} is "
            f"{' x '.join(map(str, image.shape[:-1]))}; expected one size"
        )


def pixel_size(given: Sequence[float], *stores: Store | None) -> PixelSize:
    """Give the size of a pixel in micrometres: what was given, or what the first file says that knows.

    Raises
    ------
    UserError
        If as many numbers were not given as there are axes, or one is not above 0.
    """
    known = [store for store in stores if store]
    axes = known[0].axes.removesuffix("C")
    if given and (len(given) != len(axes) or not all(0 < side < math.inf for side in given)):
        raise UserError(
            f"--pixel-size {','.join(map(str, given))}: expected {','.join(axes)} in micrometres, above 0"
        )
    said = [store.pixel_size for store in known if None not in store.pixel_size]
    return tuple(given) or next(iter(said), known[0].pixel_size)


def note_unsized(files: Sequence[Path], images: int = 1) -> None:
    """Say once of which images nothing says how large a pixel is.

    Parameters
    ----------
    files : sequence of Path
        Of these images, at least one.
    images : int
        How many there are in all.

    Warns
    -----
    Notice
    """
    others = f" and {len(files) - 1:,} more of {images:,} images" if len(files) > 1 else ""
    say_not = "they do not say" if others else "it does not say"
    warnings.warn(
        f"{files[0]}{others}: {say_not} how large a pixel is, so lengths are in pixels; kerasseg measure and "
        "components take --pixel-size",
        Notice,
        stacklevel=2,
    )


def _classes(labels: Path) -> dict[int, str] | None:
    """Read which id has which class, where that lies beside the labels."""
    path = beside(labels)
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return {int(row["label"]): row["class"] for row in csv.DictReader(file)}
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: it does not say which label has which class ({error}); expected the columns label "
                "and class; correct it, or move it elsewhere"
            ) from error
