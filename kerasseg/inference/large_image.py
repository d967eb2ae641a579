"""From an image's file to a result's file, of any size; what was killed goes on where it was.

An image is read by region and answered by tiles; what is decided of each band of rows is on the disk before
the next one is begun, in a hidden folder beside the result (see `kerasseg.inference.ledger`). The result
itself appears when it is complete.
"""

from __future__ import annotations

import math
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import locks, postprocess
from kerasseg.annotations.formats import OUTLINES, PIXELS
from kerasseg.annotations.label_images import MOST_IN_PNG, write_labels
from kerasseg.annotations.masks import write_mask
from kerasseg.annotations.objects import write_objects
from kerasseg.console import say, track
from kerasseg.errors import UserError, unknown, unwritable
from kerasseg.images import ondisk
from kerasseg.images.ondisk import Channel, OnDisk
from kerasseg.images.stores.address import file_signature
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.images.stores.store import Store, open_store
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.images.writing.zarr import write_zarr
from kerasseg.inference import record
from kerasseg.inference.ledger import Ledger, is_begun, open_ledger
from kerasseg.inference.predictor import Predictor
from kerasseg.postprocess import streaming

WHAT = ("mask", "labels", "probabilities")
ROWS = 512  # of a mask that are looked at together; fewer where they hold more pixels than
PIXELS_AT_ONCE = 2**25

Number = Callable[[Iterator[np.ndarray], np.ndarray], int]


@dataclass(frozen=True)
class Wanted:
    """What is to become of a model's probabilities.

    Attributes
    ----------
    what : {"mask", "labels", "probabilities"}
        Class ids (Y, X) uint8, ids of objects (Y, X) int32, or (Y, X, K) float32; volumes have Z before.
        Where classes do not exclude each other the first two are (Y, X, K) too, a channel a class.
    to : {"png", "tiff", "zarr", "labelme", "coco", "geojson", "imagej"}
        The format; the last four hold outlines, of labels only.
    classes : tuple of str
        Names of the foreground classes.
    threshold, activation : float, {"sigmoid", "softmax"}
        See `kerasseg.postprocess.mask`.
    number : callable
        From a mask in bands, and an int32 array to fill, to the number of objects: see
        `kerasseg.postprocess.streaming`.
    exclusive : bool
        Whether a pixel is of one class at most.
    """

    what: str
    to: str
    classes: tuple[str, ...]
    threshold: float
    activation: str
    number: Number = streaming.labels
    exclusive: bool = True

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise UserError(unknown("result", self.what, WHAT))
        if self.to not in PIXELS | OUTLINES:
            raise UserError(unknown("format", self.to, PIXELS | OUTLINES))
        if (self.what, self.to) == ("probabilities", "png"):
            raise UserError("probabilities are float32, which png cannot hold; choose --to tiff or zarr")
        if self.to in OUTLINES and self.what != "labels":
            raise UserError(
                f"{self.to} holds the outlines of objects, not a {self.what}; choose --what labels"
            )
        if not self.exclusive and self.to not in ("tiff", "zarr"):
            raise UserError(
                f"{self.to} holds one class a pixel, and these do not exclude each other: "
                f"{', '.join(self.classes)}; choose --to tiff or zarr, which hold a channel for each"
            )

    @property
    def suffix(self) -> str:
        """What the result's name ends in, such as ``.mask.png``; labelme wants the image's own name."""
        return OUTLINES[self.to] if self.to in OUTLINES else f".{self.what}{PIXELS[self.to]}"

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the result's channels; none where it has no axis of them."""
        if self.what == "probabilities" and self.activation == "softmax":
            return ("background", *self.classes)
        return self.classes if self.what == "probabilities" or not self.exclusive else ()

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Turn a band of probabilities into what is kept of it."""
        if self.what == "probabilities":
            return probabilities
        return postprocess.mask(probabilities, self.threshold, self.activation, self.exclusive)


def segment(
    image: Path,
    result: Path,
    predictor: Predictor,
    wanted: Wanted,
    *,
    asked: Mapping[str, Any],
    axes: str | None = None,
    force: bool = False,
) -> bool:
    """Predict an image, or go on with it, and write the result; where it is there already nothing is done.

    Parameters
    ----------
    image : Path
        What `kerasseg.images.stores.store.open_store` opens.
    result : Path
        The file to appear.
    predictor : Predictor
    wanted : Wanted
    asked : mapping
        What identifies the model and its settings: names to JSON's values, or to further such mappings; the
        image's own facts are added.
    axes
        See `kerasseg.images.stores.store.open_store`.
    force : bool
        Whether to start over where something was begun or made otherwise.

    Returns
    -------
    bool
        Whether there was anything left to do.

    Raises
    ------
    UserError
        If the image cannot be read, the result not be written, or another prediction was begun or made there;
        `Blocked` if another process is at work there, or the disk is full.
    """
    if result.is_dir() and not is_zarr(result):
        raise UserError(f"{result}: it is a folder and no Zarr, so it is not replaced; give another name")
    asked, begun = {"image": file_signature(image), **asked}, _begun(result, wanted)
    with locks.held(begun.with_suffix(".lock"), result):
        if not force and _is_done(result, begun, asked):
            return False
        with open_store(image, axes) as store, open_ledger(begun, asked, force=force) as ledger:
            if wanted.to in OUTLINES:
                _refuse_volume(store, wanted)
            answer = _answered(store, predictor, wanted, ledger)
            pixels, objects = _numbered(answer, wanted, ledger) if wanted.what == "labels" else (answer, 0)
            target, wanted = _fitting(result, wanted, store, objects)
            if target != result and not force:
                record.is_done(target, asked)  # or it is refused to replace it
            written = begun / target.name  # there, a kill leaves nothing that is not cleared away
            if wanted.to in OUTLINES:
                _write_outlines(written, pixels, answer, store, wanted)
            else:
                _write_pixels(written, pixels, store, wanted)
        _give_name(written, target)
        record.keep(target, ledger.asked, instead_of=result)
        ledger.close()
    return True


def _is_done(result: Path, begun: Path, asked: Mapping[str, Any]) -> bool:
    """Tell whether a result is there, is what is asked for, and nothing is left to do."""
    if is_begun(begun) or not record.is_done(result, asked):
        return False
    shutil.rmtree(begun, ignore_errors=True)  # what a kill kept from being cleared away
    return True


def _begun(result: Path, wanted: Wanted) -> Path:
    """Name the folder of what is computed, which another format of the same result can go on from."""
    return result.with_name(f".{result.name.removesuffix(wanted.suffix)}.{wanted.what}.unfinished")


def _fitting(result: Path, wanted: Wanted, store: Store, objects: int) -> tuple[Path, Wanted]:
    """Choose OME-TIFF for what a PNG cannot hold: computed work is not lost to a wish about its format."""
    too_many = objects > MOST_IN_PNG
    if wanted.to != "png" or not (too_many or store.axes != "YXC"):
        return result, wanted
    fitting = replace(wanted, to="tiff")
    target = result.with_name(result.name.removesuffix(wanted.suffix) + fitting.suffix)
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


def _answered(store: Store, predictor: Predictor, wanted: Wanted, ledger: Ledger) -> OnDisk:
    """Decide what the ledger does not yet have."""
    space = store.shape[:-1]
    if ledger.rows < space[0]:
        bands = predictor.bands(store, ledger.rows)
        for rows, band in track(bands, f"{store.path.name}: rows", space[0], lambda item: item[0].stop):
            ledger.keep(rows, wanted.decide(band), height=space[0])
    return ledger.answer


def _numbered(mask: OnDisk, wanted: Wanted, ledger: Ledger) -> tuple[OnDisk, int]:
    """Number a mask's objects and count them; a kill begins this again, which is little beside predicting."""
    numbers = ondisk.create(ledger.folder / "labels.npy", np.dtype(np.int32), mask.shape)
    of_each = zip(_layers(mask, wanted), _layers(numbers, wanted), strict=True)
    counts = [
        wanted.number((layer[rows] for rows in cuts(len(mask), _rows(layer))), labels)
        for layer, labels in of_each
    ]
    return numbers, max(counts)


def _layers(pixels: OnDisk, wanted: Wanted) -> list[OnDisk | Channel]:
    """Take apart what is numbered by itself: classes that do not exclude each other."""
    return [pixels] if wanted.exclusive else [Channel(pixels, k) for k in range(len(wanted.classes))]


def _rows(pixels: OnDisk | Channel) -> int:
    """How many rows, or planes of a volume, are looked at together."""
    return max(1, min(ROWS, PIXELS_AT_ONCE // math.prod(pixels.shape[1:])))


def _write_outlines(path: Path, labels: OnDisk, mask: OnDisk, store: Store, wanted: Wanted) -> None:
    named = {at: wanted.classes[of - 1] for at, of in _classes_of(labels, mask, len(wanted.classes)).items()}
    write_objects(path, labels, named, wanted.to, image=store.path.name, classes=wanted.classes)


def _classes_of(labels: np.ndarray, mask: np.ndarray, classes: int) -> dict[int, int]:
    """Give each object the class of most of its pixels; filled holes and grown edges are of another."""
    counts = Counter()
    for at in range(0, len(mask), ROWS):
        pairs = labels[at : at + ROWS].astype(np.int64) * (classes + 1) + mask[at : at + ROWS]
        counts.update(dict(zip(*map(np.ndarray.tolist, np.unique(pairs, return_counts=True)), strict=True)))
    found = {divmod(pair, classes + 1): count for pair, count in counts.items()}
    return {number: of for (number, of), _ in sorted(found.items(), key=itemgetter(1)) if number and of}


def _write_pixels(path: Path, pixels: OnDisk, store: Store, wanted: Wanted) -> None:
    if wanted.to == "png":
        return (write_mask if wanted.what == "mask" else write_labels)(path, pixels[:])
    axes = store.axes if wanted.channels else store.axes.removesuffix("C")
    shrink = "area" if wanted.what == "probabilities" else "nearest"
    write = write_tiff if wanted.to == "tiff" else write_zarr
    write(path, Result(pixels, axes, store.pixel_size, shrink, wanted.channels))


def _refuse_volume(store: Store, wanted: Wanted) -> None:
    if store.axes != "YXC":
        raise UserError(
            f"{store.path}: {wanted.to} cannot hold a volume ({store.axes}); choose --to tiff or zarr"
        )
