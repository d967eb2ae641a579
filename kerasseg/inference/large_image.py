"""From an image's file to a result's file, of any size; what was killed goes on where it was.

An image is read by region and answered by tiles; what is decided of each band of rows is on the disk before
the next one is begun, in a hidden folder beside the result (see `kerasseg.inference.resume`). The result
itself appears when it is complete.
"""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasseg import locks
from kerasseg.annotations.formats import OUTLINES, PIXELS
from kerasseg.annotations.label_images import MOST_IN_PNG, write_labels
from kerasseg.annotations.masks import write_mask
from kerasseg.annotations.objects import write_objects
from kerasseg.console import say, track
from kerasseg.errors import UserError, unknown, unwritable
from kerasseg.files import Written
from kerasseg.images import ondisk
from kerasseg.images.calibration import PixelSize
from kerasseg.images.ondisk import Channel, OnDisk
from kerasseg.images.stores.address import file_signature
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.images.stores.store import Store, open_store
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.images.writing.zarr import write_zarr
from kerasseg.inference.blending import Bands
from kerasseg.inference.resume import Ledger, finished, is_begun, open_ledger, record
from kerasseg.postprocess import table
from kerasseg.postprocess.numbering import object_classes
from kerasseg.spec import MergedSpec, ModelSpec

KINDS = ("mask", "labels", "probabilities", "stages")
ROWS = 512  # of a mask that are looked at together; fewer where they hold more pixels than
PIXELS_AT_ONCE = 2**25


@dataclass(frozen=True)
class Output:
    """What is to become of a model's probabilities.

    Attributes
    ----------
    kind : {"mask", "labels", "probabilities", "stages"}
        Class ids (Y, X) uint8, ids of objects (Y, X) int32, (Y, X, K) float32, or the stage of a cascade
        that each pixel came from, (Y, X) uint8; volumes have Z before. Of a multilabel model the first two
        are (Y, X, K) too, a channel a class.
    format : {"png", "tiff", "zarr", "labelme", "coco", "geojson", "imagej"}
        The last four hold outlines, of labels only.

    Raises
    ------
    UserError
        If there is no such kind or format, or the one cannot hold the other.
    """

    kind: str
    format: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(unknown("result", self.kind, KINDS))
        if self.format not in PIXELS | OUTLINES:
            raise UserError(unknown("format", self.format, PIXELS | OUTLINES))
        if (self.kind, self.format) == ("probabilities", "png"):
            raise UserError("probabilities are float32, which png cannot hold; choose --to tiff or zarr")
        if self.format in OUTLINES and self.kind != "labels":
            raise UserError(
                f"{self.format} holds the outlines of objects, not a {self.kind}; choose --what labels"
            )

    @property
    def suffix(self) -> str:
        """What the result's name ends in, such as ``.mask.png``; labelme wants the image's own name."""
        return OUTLINES[self.format] if self.format in OUTLINES else f".{self.kind}{PIXELS[self.format]}"

    def check(self, spec: ModelSpec | MergedSpec) -> None:
        """Refuse what a model does not give, and a format that cannot hold a multilabel model's masks."""
        if self.kind == "stages" and self.kind not in spec.kinds:
            raise UserError("--what stages: only a cascade has stages, and this is one model")
        if self.kind not in spec.kinds:
            raise UserError(
                f"--what {self.kind}: a cascade merges masks and has no {self.kind}; choose one of "
                f"{', '.join(spec.kinds)}, or predict by the run of one of its stages"
            )
        if spec.multilabel and self.format not in ("tiff", "zarr"):
            raise UserError(
                f"{self.format} holds one class a pixel, and these do not exclude each other: "
                f"{', '.join(spec.classes)}; choose --to tiff or zarr, which hold a channel for each"
            )

    def decided(self, band: np.ndarray, spec: ModelSpec | MergedSpec) -> np.ndarray:
        """Make of a band of answers what is kept until all are there: labels are made of the whole mask.

        Where they need a landscape too, there is a last axis of the two.
        """
        if self.kind == "probabilities":
            return band
        if self.kind == "labels" and spec.objects.by_landscape:
            return np.stack([spec.decide(band), spec.landscape(band)], axis=-1)
        return spec.stages(band) if self.kind == "stages" else spec.decide(band)

    def channel_names(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name the result's channels; none where it has no axis of them."""
        if self.kind == "probabilities":
            return spec.output_names
        return spec.classes if spec.multilabel else ()


def segment(
    image: Path,
    result: Path,
    segmenter: Segmenting,
    output: Output,
    *,
    axes: str | None = None,
    diameter: float | None = None,
    channel: int | None = None,
    force: bool = False,
) -> Written:
    """Predict an image, or go on with it, and write the result; where it is there already nothing is done.

    Parameters
    ----------
    image : Path
        What `kerasseg.images.stores.store.open_store` opens.
    result : Path
        The file to appear.
    segmenter : Segmenting
    output : Output
    axes, channel
        See `kerasseg.images.stores.store.open_store`.
    diameter : float, optional
        Of the image's objects, in pixels: see `kerasseg.segmenter.Segmenter.fitted`.
    force : bool
        Whether to start over where something was begun, or made with different settings.

    Returns
    -------
    Written

    Raises
    ------
    UserError
        If the image cannot be read, the result not be written, or another prediction was begun or made there;
        `Busy` if another process is at work there, `Blocked` if the disk is full.
    """
    if result.is_dir() and not is_zarr(result):
        raise UserError(
            f"{result}: this is a folder but not a Zarr, so it is not replaced; choose another name"
        )
    output.check(segmenter.spec)
    told = {"diameter": diameter, "channel": channel}
    settings = _settings(image, segmenter, output, told)
    # Another format of the same result goes on from what was computed for this one.
    stem = result.name.removesuffix(output.suffix)
    begun = result.with_name(f".{stem}.{output.kind}.unfinished")
    with locks.held(begun.with_suffix(".lock"), result):
        if not force and (there := _finished(result, begun, settings)):
            return there
        with (
            open_store(image, axes, channel=channel) as store,
            open_ledger(begun, settings, force=force) as ledger,
        ):
            if output.format in OUTLINES:
                _refuse_volume(store, output)
            found = _found(store, segmenter.fitted(diameter, store.pixel_size), output, ledger)
            target, output = _fitting(result, output, store, found.objects or 0)
            if target != result and not force:
                finished(target, settings)  # or it is refused to replace it
            written = begun / target.name  # there, a kill leaves nothing that is not cleared away
            _write(written, found, store, output)
            if output.format in PIXELS and found.objects is not None and _are_several(found.spec):
                _write_classes(table.beside(written), found)
                _give_name(table.beside(written), table.beside(target))
        _give_name(written, target)
        record(target, ledger.settings, objects=found.objects, instead_of=result)
        ledger.close()
    return Written(target, new=True, objects=found.objects)


class Segmenting(Protocol):
    """What predicts: `kerasseg.segmenter.Segmenter` or `kerasseg.cascade.Cascade`."""

    spec: ModelSpec | MergedSpec

    def settings(self) -> dict[str, Any]:
        """Give what identifies its answers."""

    def fitted(self, diameter: float | None, pixel_size: PixelSize = ()) -> Segmenting:
        """Give what predicts images of another scale than that which was learnt."""

    def bands(self, store: Store, first_row: int = 0) -> Bands:
        """Predict an open image a band of finished rows at a time."""


@dataclass(frozen=True)
class Found:
    """What was found in an image, on the disk.

    Attributes
    ----------
    pixels : OnDisk
        The result's: labels, where objects are numbered.
    mask : OnDisk or Channel
        What labels were made of; otherwise the pixels themselves.
    objects : int or None
        How many there are; None where they are not numbered.
    spec : ModelSpec or MergedSpec
        Of what found it.
    """

    pixels: OnDisk
    mask: OnDisk | Channel
    objects: int | None
    spec: ModelSpec | MergedSpec

    def class_names(self) -> dict[int, str]:
        """Name the class of each object, which excludes all others."""
        bands = ((self.pixels[rows], self.mask[rows]) for rows in cuts(self.mask.shape[0], ROWS))
        class_ids = object_classes(bands, self.objects, len(self.spec.classes)).tolist()
        return {number: self.spec.classes[k - 1] for number, k in enumerate(class_ids) if number}


def _settings(
    image: Path, segmenter: Segmenting, output: Output, told: Mapping[str, float | None]
) -> dict[str, Any]:
    """Say what identifies a prediction, in JSON's types; of what was told about the image, what is known."""
    settings = {"image": file_signature(image), **segmenter.settings(), "what": output.kind}
    if output.kind == "labels":
        objects = segmenter.spec.objects
        settings["instances"] = {objects.method: objects.arguments}
    return settings | {name: value for name, value in told.items() if value is not None}


def _finished(result: Path, begun: Path, settings: Mapping[str, Any]) -> Written | None:
    """Give a result that is there and is what is wanted, if nothing is left to do."""
    there = None if is_begun(begun) else finished(result, settings)
    if there:
        shutil.rmtree(begun, ignore_errors=True)  # what a kill kept from being cleared away
    return there


def _fitting(result: Path, output: Output, store: Store, objects: int) -> tuple[Path, Output]:
    """Choose OME-TIFF for what a PNG cannot hold: computed work is not lost to a wish about its format."""
    too_many = objects > MOST_IN_PNG
    if output.format != "png" or not (too_many or store.axes != "YXC"):
        return result, output
    fitting = Output(output.kind, "tiff")
    target = result.with_name(result.name.removesuffix(output.suffix) + fitting.suffix)
    reason = f"{objects:,} objects" if too_many else f"a volume ({store.axes})"
    say(f"{result}: a PNG cannot hold {reason}; writing {target.name} instead")
    return target, fitting


def _give_name(written: Path, result: Path) -> None:
    """Put a written result where it is wanted; a Zarr there is moved to where it is cleared away."""
    try:
        if result.is_dir():
            result.rename(written.with_name(f"former.{uuid.uuid4().hex}"))
        written.replace(result)
    except OSError as error:
        raise unwritable(result, error) from error


def _found(store: Store, segmenter: Segmenting, output: Output, ledger: Ledger) -> Found:
    """Decide what the ledger does not yet have, and number the objects where they are wanted."""
    answer, spec = _answered(store, segmenter, output, ledger), segmenter.spec
    if output.kind != "labels":
        return Found(answer, answer, None, spec)
    by_landscape = spec.objects.by_landscape
    mask, landscape = (Channel(answer, 0), Channel(answer, 1)) if by_landscape else (answer, None)
    labels, objects = _numbered(mask, landscape, spec, ledger)
    return Found(labels, mask, objects, spec)


def _answered(store: Store, segmenter: Segmenting, output: Output, ledger: Ledger) -> OnDisk:
    """Decide what the ledger does not yet have."""
    height = store.shape[0]
    if ledger.rows < height:
        bands = segmenter.bands(store, ledger.rows)
        for rows, band in track(bands, f"{store.path.name}: rows", height, lambda item: item[0].stop):
            ledger.keep(rows, output.decided(band, segmenter.spec), height)
    return ledger.answer


def _numbered(
    mask: OnDisk | Channel, landscape: Channel | None, spec: ModelSpec, ledger: Ledger
) -> tuple[OnDisk, int]:
    """Number a mask's objects and count them; a kill begins this again, which is little beside predicting."""
    labels = ondisk.create(ledger.folder / "labels.npy", np.dtype(np.int32), mask.shape)
    counts = []
    for k in range(len(spec.classes) if spec.multilabel else 1):
        layer, into = (Channel(mask, k), Channel(labels, k)) if spec.multilabel else (mask, labels)
        rows = max(1, min(ROWS, PIXELS_AT_ONCE // math.prod(layer.shape[1:])))
        counts.append(
            spec.objects.label_bands((layer[part] for part in cuts(mask.shape[0], rows)), into, landscape)
        )
    return labels, max(counts)


def _are_several(spec: ModelSpec | MergedSpec) -> bool:
    """Tell whether objects of several classes are numbered together, and not class by class."""
    return len(spec.classes) > 1 and not spec.multilabel


def _write(path: Path, found: Found, store: Store, output: Output) -> None:
    """Write what was found in the format that is wanted."""
    if output.format in OUTLINES:
        names = {"image": store.path.name, "classes": found.spec.classes}
        write_objects(path, found.pixels, found.class_names(), output.format, **names)
    else:
        _write_pixels(path, found.pixels, store, output, output.channel_names(found.spec))


def _write_classes(path: Path, found: Found) -> None:
    """Write a table of the objects' classes, which labels do not tell."""
    names = found.class_names()
    columns = {"label": np.array(list(names)), "class": np.array(list(names.values()), object)}
    table.write(path, columns)


def _write_pixels(path: Path, pixels: OnDisk, store: Store, output: Output, channels: Sequence[str]) -> None:
    if output.format == "png":
        return (write_labels if output.kind == "labels" else write_mask)(path, pixels[:])
    axes = store.axes if channels else store.axes.removesuffix("C")
    shrink = "area" if output.kind == "probabilities" else "nearest"
    write = write_tiff if output.format == "tiff" else write_zarr
    write(path, Result(pixels, axes, store.pixel_size, shrink, channels))


def _refuse_volume(store: Store, output: Output) -> None:
    if store.axes != "YXC":
        raise UserError(
            f"{store.path}: {output.format} cannot hold a volume ({store.axes}); choose --to tiff or zarr"
        )
