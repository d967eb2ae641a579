"""Work on image after image, where one that fails does not stop the others, and processes share the work."""

from __future__ import annotations

import json
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import typer

from kerasseg.console import say
from kerasseg.errors import Blocked, Busy, Incomplete, UserError, if_interrupted
from kerasseg.files import Written
from kerasseg.images import files, folders
from kerasseg.images.appearance import Unlike
from kerasseg.images.stores import address, hdf5
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.inference.resume import recorded_results

STORES = (".zarr", *hdf5.SUFFIXES)  # files and folders that are one image, of any size
FILES = (*files.SUFFIXES, *STORES, ".json", ".geojson", ".zip", ".kpt")  # what images and results end with

WRITTEN, THERE, FAILED, BUSY = "written", "existed already", "failed", "left to other processes"


def check_folder(out: Path) -> None:
    """Refuse the name of a file: results are several files, in a folder, and named by their images."""
    if out.is_file() or (out.suffix.lower() in FILES and not out.is_dir()):
        raise UserError(f"{out}: this is the name of a file; name a folder for the results")


def images_in(images: Path, axes: str | None) -> Iterator[tuple[Path, Path]]:
    """Yield images with their names under the folder that was given; earlier results are no images."""
    file, dataset = address.parted(images)
    if file.is_file() or file.suffix in STORES or is_zarr(file) or _is_volume(images, axes):
        parts = re.findall(r"[^/\\:,\s]+", dataset or "")
        yield images, Path(".".join([_stem(file), *parts]))
        return
    if not images.exists():
        raise UserError(f"{images}: there is no such file or folder")
    listed = folders.find(images, (*files.SUFFIXES, *STORES), whole=is_one_image)
    results = {folder: recorded_results(folder) for folder in {path.parent for path in listed}}
    found = [path for path in listed if path.name not in results[path.parent]]
    if not found and listed:
        raise UserError(
            f"{images}: there are only results of earlier predictions here; name the folder of the images"
        )
    if not found:
        raise UserError(
            f"{images}: there is no image here; expected {', '.join(sorted(files.SUFFIXES))} or "
            f"{', '.join(STORES)}"
        )
    yield from folders.unique(found, images).items()


def _is_volume(folder: Path, axes: str | None) -> bool:
    """Tell a folder of planes, which are one volume, from one of stacks: by its axes and its first file."""
    if axes is None or "Z" not in axes.upper() or not folder.is_dir():
        return False
    planes = [path for path in folders.entries(folder) if path.suffix.lower() in files.SUFFIXES]
    return bool(planes) and files.header(planes[0]).pages == 1


def is_one_image(folder: Path) -> bool:
    """Tell whether a folder is one image, as those of Zarr are, and its files are none."""
    return folders.is_store(folder) or is_zarr(folder)


def _stem(image: Path) -> str:
    """Leave out the suffix, and ``.ome`` or ``.nii`` before it; a folder of planes has none."""
    if image.is_dir() and image.suffix not in STORES:
        return image.resolve().name
    return folders.stem(image)


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes
    ----------
    file : str
        The image.
    state : {"written", "existed already", "failed", "left to other processes"}
    result : str or None
        The file that was written for it, or was there.
    objects : int or None
        How many were found, where they were counted.
    seconds : float
        How long it took.
    error : tuple of str, or None
        Why it failed, or who is at work on it.
    unlike : str or None
        By what it is unlike the images that the model learnt from, where it is and was predicted now.
    """

    file: str
    state: str
    result: str | None = None
    objects: int | None = None
    seconds: float = 0.0
    error: tuple[str, ...] | None = None
    unlike: str | None = None


Tell = Callable[[Outcome], None]


def print_json(outcome: Outcome) -> None:
    """Print one line of JSON, for programs that read along."""
    typer.echo(json.dumps(asdict(outcome), ensure_ascii=False))


def work_through(
    results: Mapping[Path, Path], work: Callable[[Path, Path], Written], tell: Tell | None = None
) -> list[Outcome]:
    """Make the result of each image; those at which another process is at work come last.

    Parameters
    ----------
    results : mapping of Path to Path
        From each image to its result.
    work : callable
        Makes one result.
    tell : callable, optional
        Is called with each outcome as soon as it is known.

    Returns
    -------
    list of Outcome
        One for each image.

    Raises
    ------
    Blocked
        If the next image would fail as well; what failed before is said too.
    """
    outcomes: list[Outcome] = []
    waiting = dict(results)
    with _without_empty_folders(results.values()):
        while waiting:
            busy = {}
            for number, (image, result) in enumerate(waiting.items(), start=1 + len(results) - len(waiting)):
                kept = f"{image} is number {number} of {len(results)}, and what is computed is kept"
                with if_interrupted(f"{kept}; repeat the command to continue"), _blocked_after(outcomes):
                    outcome = _outcome(image, result, work)
                if outcome.state == BUSY:
                    busy[image] = outcome
                    continue
                outcomes.append(outcome)
                if tell:
                    tell(outcome)
            if len(busy) == len(waiting):  # nobody has finished one meanwhile
                return outcomes + list(busy.values())
            waiting = {image: results[image] for image in busy}
    return outcomes


def report(outcomes: Sequence[Outcome], out: Path) -> None:
    """Say what became of all images.

    Parameters
    ----------
    outcomes : sequence of Outcome
    out : Path
        The folder of the results.

    Raises
    ------
    Incomplete
        If some results are there and others are not.
    UserError
        If there is none.
    """
    states = Counter(outcome.state for outcome in outcomes)
    others = [f", {states[state]} {state}" for state in (THERE, FAILED, BUSY) if states[state]]
    if unlike := sum(outcome.unlike is not None for outcome in outcomes):
        others.append(f", {unlike} of an image unlike those learnt from")
    results = "result" if len(outcomes) == 1 else "results"
    say(f"wrote {states[WRITTEN]} of {len(outcomes)} {results} to {out}{''.join(others)}")
    if errors := _errors(outcomes):
        raise (Incomplete if states[WRITTEN] or states[THERE] else UserError)(*errors)


@contextmanager
def _without_empty_folders(results: Iterable[Path]) -> Iterator[None]:
    """Remove the folders that the block made for results and left empty, as each image failed."""
    folders = {folder for result in results for folder in result.parents}
    missing = [folder for folder in folders if not folder.exists()]
    try:
        yield
    finally:
        for folder in sorted(missing, key=lambda folder: len(folder.parts), reverse=True):
            with suppress(OSError):  # it holds something, or was not made
                folder.rmdir()


@contextmanager
def _blocked_after(outcomes: Sequence[Outcome]) -> Iterator[None]:
    """Say what failed before, too, where the block ends the work."""
    try:
        yield
    except Blocked as error:
        raise Blocked(*_errors(outcomes), *error.messages) from error


def _errors(outcomes: Sequence[Outcome]) -> list[str]:
    return [line for outcome in outcomes for line in outcome.error or ()]


def _outcome(image: Path, result: Path, work: Callable[[Path, Path], Written]) -> Outcome:
    """Make one result, and tell what became of it."""
    begun = time.monotonic()
    outcome = partial(Outcome, str(image))
    try:
        with _unlike_noted() as unlike:
            written = work(image, result)
    except Busy as error:
        return outcome(BUSY, error=error.messages)
    except Blocked:
        raise
    except UserError as error:
        return outcome(FAILED, seconds=_since(begun), error=error.messages)
    state = WRITTEN if written.new else THERE
    said = unlike[0] if unlike else None
    return outcome(state, str(written.path), written.objects, _since(begun), unlike=said)


@contextmanager
def _unlike_noted() -> Iterator[list[str]]:
    """Note what is said of an image that is unlike those that a model learnt from, and let it be said."""
    show, noted = warnings.showwarning, []

    def show_and_note(message: Warning, category: type[Warning], *place: object) -> None:
        if issubclass(category, Unlike):
            noted.append(str(message))
        show(message, category, *place)

    with warnings.catch_warnings():  # which puts back what shows them
        warnings.simplefilter("always", Unlike)
        warnings.showwarning = show_and_note
        yield noted


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
