"""From a stack of slices to numbered nuclei: found slice by slice, followed, cut out, shown.

The stack is read one slice at a time: once to find, once to cut out. What is found is kept slice by slice,
so that an extraction that was killed goes on where it was when the command is repeated.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg import locks
from kerasseg.console import say, track
from kerasseg.errors import UserError, unknown
from kerasseg.images import files
from kerasseg.images.stores.address import file_signature, parted
from kerasseg.images.stores.store import Store, open_store
from kerasseg.nuclei import crops, detection, drawing, linking, published, table
from kerasseg.nuclei.crops import Corner
from kerasseg.nuclei.detection import Outline
from kerasseg.nuclei.journal import Journal
from kerasseg.nuclei.lengths import in_micrometres, in_pixels
from kerasseg.nuclei.linking import Sighting

PAPER = "paper"
PRESETS = (PAPER,)
FEWEST = 3  # slices in which a nucleus is seen
LEAST_DIAMETER = 16  # pixels, below which an outline has too few to be judged
CROP = 2  # diameters of a crop's side
CROP_UNIT = 32  # which networks halve five times

Tracks = Mapping[int, Sequence[Sighting]]


@dataclass(frozen=True)
class Method:
    """How nuclei are found, followed and cut out.

    Attributes
    ----------
    detect : callable
        From a slice (Y, X) to outlines.
    link : callable
        From all sightings to a number for each.
    centre : callable
        From the sightings of a nucleus to the centre (y, x) of its window.
    crop : int
        Pixels of a window's side.
    fewest : int
        Slices in which a nucleus is seen.
    """

    detect: Callable[[np.ndarray], list[Outline]]
    link: Callable[[Sequence[Sighting]], list[int]]
    centre: Callable[[Sequence[Sighting]], tuple[float, float]]
    crop: int
    fewest: int


@dataclass(frozen=True)
class Settings:
    """What a user asks for, as it is typed.

    Attributes
    ----------
    diameter : str or None
        The expected mean diameter: pixels, or with a unit. The paper's preset has its own.
    crop : str or None
        The side of a crop, in the same way; twice the diameter by default.
    polarity : str
        ``bright``, ``dark`` or ``both``: see `kerasseg.nuclei.detection.detect`.
    score : float
        What a nucleus reaches.
    fewest : int
        Slices in which it is seen; all, where a stack has fewer.
    preset : str or None
        ``paper``: the published steps and numbers.
    pixel_size : str or None
        Of a pixel's side, where the stack does not say, such as ``4nm``.
    axes : str or None
        Of the stack, where it does not say.
    """

    diameter: str | None = None
    crop: str | None = None
    polarity: str = "both"
    score: float = detection.SCORE
    fewest: int = FEWEST
    preset: str | None = None
    pixel_size: str | None = None
    axes: str | None = None


def extract(stack: Path, out: Path, settings: Settings) -> None:
    """Find the nuclei of a stack, number them, and cut them out.

    Parameters
    ----------
    stack : Path
        A folder of slices, a TIFF stack, HDF5 (``FILE.h5:DATASET``), Zarr or a microscope's file.
    out : Path
        Gets ``nuclei.csv``, ``images/nucleus_0001/z0000.tif``, ``sheets/``, ``found/`` and ``nuclei.jpg``.
    settings : Settings

    Warns
    -----
    Notice
        If candidates are dropped, or nuclei are larger than their crops.

    Raises
    ------
    UserError
        If the stack cannot be read, slices are missing or unequal, something that was asked for makes no
        sense, or another extraction was begun in `out`.
    """
    _check(stack, out, settings)
    with open_store(stack, settings.axes) as store:
        slices = Slices(store)
        method = _method(settings, slices)
        with locks.held(out / ".extract.lock", out):
            journal = Journal(out, {"stack": file_signature(stack), "settings": vars(settings)})
            for number in track(range(journal.slices, slices.count), "finding nuclei"):
                journal.keep(_sightings(method, slices.grey(number), number))
            sightings = list(journal.sightings())
            tracks = linking.tracks(sightings, method.link(sightings), min(method.fewest, slices.count))
            corners = _corners(method, tracks, slices.size)
            _cut_out(slices, out, tracks, corners, method.crop)
            drawing.contact_sheets(out, tracks, corners, method.crop)
            _draw_slices(slices, out, tracks, method)
            table.write(out / table.NAME, _rows(tracks, corners))
    _say_result(out, tracks, slices.count, method.crop)


class Slices:
    """The slices of a stack, read one by one.

    Parameters
    ----------
    store : Store
        An image, which is one slice, or a volume.

    Attributes
    ----------
    count : int
        How many there are.
    size : tuple of int
        Height and width.
    pixel_size : float or None
        Micrometres along x; None where the file does not say.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.count = store.shape[0] if len(store.shape) == 4 else 1
        self.size = store.shape[-3:-1]
        self.pixel_size = store.pixel_size[-1]

    def read(self, number: int) -> np.ndarray:
        """Read a slice (Y, X, C) as it is stored."""
        plane = (slice(None), slice(None))
        if len(self._store.shape) == 3:
            return self._store.read(plane)
        return self._store.read((slice(number, number + 1), *plane))[0]

    def grey(self, number: int) -> np.ndarray:
        """Read a slice (Y, X); several channels are averaged."""
        pixels = self.read(number)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels.mean(axis=-1, dtype=np.float32)


def _check(stack: Path, out: Path, settings: Settings) -> None:
    mistakes = []
    if settings.polarity not in detection.SIGNS:
        mistakes.append(f"--polarity: {unknown('polarity', settings.polarity, detection.SIGNS)}")
    if settings.preset not in (None, *PRESETS):
        mistakes.append(f"--preset: {unknown('preset', settings.preset, PRESETS)}")
    if settings.preset is None and settings.diameter is None:
        mistakes.append("--diameter is missing: say how large a nucleus is, such as 134 (pixels) or 536nm")
    if settings.preset == PAPER and (given := _beside_the_preset(settings)):
        mistakes.append(f"--preset paper: its numbers are the published ones; leave out {', '.join(given)}")
    if not 0 < settings.score <= 1:
        mistakes.append(f"--score {settings.score:g}: expected a number above 0, and 1 at most")
    if settings.fewest < 1:
        mistakes.append(f"--slices {settings.fewest}: expected 1 at least")
    folder, _ = parted(stack)
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        mistakes.append(f"{out}: results cannot lie in the folder of the slices; name another one")
    if mistakes:
        raise UserError(*mistakes)


def _beside_the_preset(settings: Settings) -> list[str]:
    """Name the options that the paper's preset does not know and that are not as they are by default."""
    names = {
        "diameter": "diameter",
        "crop": "crop",
        "polarity": "polarity",
        "score": "score",
        "fewest": "slices",
    }
    return [
        f"--{option}"
        for name, option in names.items()
        if getattr(settings, name) != getattr(Settings(), name)
    ]


def _method(settings: Settings, slices: Slices) -> Method:
    if settings.preset == PAPER:
        return Method(published.detect, published.link, _where_first_seen, published.CROP, 1)
    pixel_size = slices.pixel_size
    if settings.pixel_size:
        pixel_size = in_micrometres("--pixel-size", settings.pixel_size)
    diameter = in_pixels("--diameter", settings.diameter, pixel_size)
    _check_diameter(diameter, settings.diameter, slices.size)
    side = in_pixels("--crop", settings.crop, pixel_size) if settings.crop else CROP * diameter
    detect = partial(detection.detect, diameter=diameter, polarity=settings.polarity, score=settings.score)
    link = partial(linking.link, diameter=diameter)
    crop = round(side) if settings.crop else math.ceil(side / CROP_UNIT) * CROP_UNIT
    return Method(detect, link, crops.middle, crop, settings.fewest)


def _check_diameter(diameter: float, typed: str, size: tuple[int, int]) -> None:
    if not LEAST_DIAMETER <= diameter <= max(size):
        raise UserError(
            f"--diameter {typed}: that is {diameter:.1f} pixels, and slices are {size[0]} x {size[1]}; "
            f"expected {LEAST_DIAMETER} pixels at least, and no more than a slice has"
        )


def _where_first_seen(sightings: Sequence[Sighting]) -> tuple[float, float]:
    return sightings[0].y, sightings[0].x


def _sightings(method: Method, image: np.ndarray, number: int) -> list[Sighting]:
    return [linking.sighted(outline, number) for outline in method.detect(image) if not outline.reason]


def _corners(method: Method, tracks: Tracks, size: tuple[int, int]) -> dict[int, Corner]:
    corners = {
        nucleus: crops.corner(method.centre(sightings), size, method.crop)
        for nucleus, sightings in tracks.items()
    }
    crops.say_cut(tracks, corners, size, method.crop)
    return corners


def _cut_out(slices: Slices, out: Path, tracks: Tracks, corners: Mapping[int, Corner], side: int) -> None:
    """Write the crops that are not there yet, slice by slice."""
    missing = defaultdict(list)
    for nucleus, sightings in tracks.items():
        for sighting in sightings:
            path = crops.path_of(out, nucleus, sighting.slice)
            if not path.exists():
                missing[sighting.slice].append((path, corners[nucleus]))
    for number in track(sorted(missing), "cutting out nuclei"):
        image = slices.read(number)
        for path, corner in missing[number]:
            files.write(path, crops.cut(image, corner, side))


def _draw_slices(slices: Slices, out: Path, tracks: Tracks, method: Method) -> None:
    """Draw some slices: nuclei with their ids, and what is none with the reason."""
    ids = {sighting: nucleus for nucleus, sightings in tracks.items() for sighting in sightings}
    for number in drawing.some(slices.count, drawing.SLICES):
        outlines = method.detect(slices.grey(number))
        names = []
        for outline in outlines:
            nucleus = ids.get(linking.sighted(outline, number))
            dropped = f"seen in fewer than {method.fewest} slices"
            names.append(None if outline.reason else dropped if nucleus is None else str(nucleus))
        picture = drawing.slice_picture(slices.read(number), outlines, names)
        files.write(out / drawing.FOUND / f"z{number:0{crops.DIGITS}}.jpg", picture)


def _rows(tracks: Tracks, corners: Mapping[int, Corner]) -> list[table.Row]:
    return [
        table.Row(nucleus, sighting, corners[nucleus])
        for nucleus, sightings in tracks.items()
        for sighting in sightings
    ]


def _say_result(out: Path, tracks: Tracks, count: int, side: int) -> None:
    slices = f"{count} slice{'s' * (count != 1)}"
    if not tracks:
        say(f"no nucleus was found in {slices}; {out / drawing.FOUND} shows why")
        return
    nuclei = "1 nucleus" if len(tracks) == 1 else f"{len(tracks)} nuclei"
    written = sum(map(len, tracks.values()))
    say(
        f"{nuclei} in {slices}: {out / table.NAME}, {written} crop{'s' * (written != 1)} of {side} x {side} "
        f"pixels in {out / crops.IMAGES}"
    )
