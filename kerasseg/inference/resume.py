"""What a prediction that was killed goes on from, and which model made which result.

The answers so far lie in a hidden folder beside the result: ``answer.npy``, which is as large as the whole,
and ``ledger.json``, which says by which settings and how many of its rows are finished. Rows are on the disk
before the ledger counts them, and it is replaced whole. ``predictions.json`` beside the results keeps the
settings of each that is complete; other commands keep records of other names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import locks
from kerasseg.errors import Blocked, UserError, changes
from kerasseg.files import Written, read_json, write_json
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk

LEDGER, ANSWER = "ledger.json", "answer.npy"
RECORD, INSTEAD, OBJECTS = "predictions.json", "written_instead", "objects"
DAMAGED = "  It tells how the results beside it were made: remove it, and make them again with --force"


@dataclass
class Ledger:
    """A prediction's folder, which is there while it is not finished.

    Attributes
    ----------
    folder : Path
        Holds ``ledger.json`` and ``answer.npy``.
    settings : dict
        What identifies the prediction: model, image, tiling; of JSON's types.
    rows : int
        Rows of the image (planes of a volume) that are finished.
    """

    folder: Path
    settings: dict[str, Any]
    rows: int = 0

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave nothing of an image that is refused; what was interrupted can be gone on with."""
        if kind is not None and issubclass(kind, UserError) and not self.rows:
            self.close()

    @cached_property
    def answer(self) -> OnDisk:
        """All answers, of which `rows` are finished."""
        return ondisk.opened(self.folder / ANSWER)

    def keep(self, rows: slice, band: np.ndarray, height: int) -> None:
        """Write finished rows, of `height` in all, and then count them; the first say how wide all are."""
        if not self.rows:
            self.answer = ondisk.create(self.folder / ANSWER, band.dtype, (height, *band.shape[1:]))
        self.answer[rows] = band
        self.answer.flush()
        self.rows = rows.stop
        self.write()

    def write(self) -> None:
        """Replace ``ledger.json``."""
        write_json(self.folder / LEDGER, {"settings": self.settings, "rows": self.rows})

    def close(self) -> None:
        """Remove the folder: the answer is where it was wanted."""
        self.__dict__.pop("answer", None)  # or the map would hold the removed file's place on the disk
        (self.folder / LEDGER).unlink()  # first: rows that are counted are never missing
        shutil.rmtree(self.folder)


def is_begun(folder: Path) -> bool:
    """Tell whether a prediction was begun in a folder and has not been finished."""
    return (folder / LEDGER).exists()


def open_ledger(folder: Path, settings: Mapping[str, Any], *, force: bool = False) -> Ledger:
    """Begin a prediction, or go on with one that was killed.

    Parameters
    ----------
    folder : Path
        Of this prediction alone.
    settings : mapping
        What identifies it: names to JSON's values, or to further such mappings.
    force : bool
        Whether to begin again in any case.

    Returns
    -------
    Ledger

    Raises
    ------
    UserError
        If what was begun there has other settings; every difference is named.
    """
    settings = _as_json(settings)
    if force:
        shutil.rmtree(folder, ignore_errors=True)
    if not is_begun(folder):
        folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(folder, settings)
        ledger.write()
        return ledger
    begun = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
    if changed := changes(begun["settings"], settings):
        raise UserError(
            f"{folder}: an unfinished prediction with different settings is here; repeat its command to "
            "continue it, or start again with --force",
            *(f"  {line}" for line in changed),
        )
    return Ledger(folder, settings, begun["rows"])


def finished(result: Path, settings: Mapping[str, Any], name: str = RECORD) -> Written | None:
    """Give a result that is there and is what is wanted.

    Parameters
    ----------
    result : Path
        The file or folder.
    settings : mapping
        What identifies the prediction, as in `open_ledger`.
    name : str
        Of the record, which lies beside the result.

    Returns
    -------
    Written or None
        None where there is no such result.

    Raises
    ------
    UserError
        If something else is there; what it differs in is named, as far as it was recorded.
    """
    before = _recorded(result.parent, name).get(result.name)
    if not result.exists():
        instead = (before or {}).get(INSTEAD)
        return finished(result.with_name(instead), settings, name) if instead else None
    if before is None:
        raise UserError(f"{result}: it exists already; choose another folder, or replace it with --force")
    objects = before.pop(OBJECTS, None)
    if changed := changes(before, _as_json(settings)):
        raise UserError(
            f"{result}: it exists already, made with different settings; choose another folder, or replace "
            "it with --force",
            *(f"  {line}" for line in changed),
        )
    return Written(result, new=False, objects=objects)


def record(
    result: Path,
    settings: Mapping[str, Any],
    *,
    objects: int | None = None,
    instead_of: Path | None = None,
    name: str = RECORD,
) -> None:
    """Record by which settings a result was made.

    Parameters
    ----------
    result : Path
        The file or folder.
    settings : mapping
        See `finished`.
    objects : int, optional
        How many it holds.
    instead_of : Path, optional
        What was wanted, where its format could not hold the result; one of that name is removed.
    name : str
        Of the record.
    """
    new = {result.name: {**settings, **({} if objects is None else {OBJECTS: objects})}}
    if instead_of not in (None, result):
        new[instead_of.name] = {INSTEAD: result.name}
        instead_of.unlink(missing_ok=True)
    _add(result.parent, new, name)


def record_failure(result: Path, image: Path, error: Sequence[str]) -> None:
    """Record why a result is missing; the record of one that is there stands."""
    if not result.exists():
        _add(result.parent, {result.name: {"image": str(image), "error": list(error)}})


def _add(folder: Path, entries: Mapping[str, Any], name: str = RECORD) -> None:
    path = folder / name
    with locks.awaited(path.with_name(f".{name}.change")):
        write_json(path, _recorded(folder, name) | entries)


def recorded_results(folder: Path, name: str = RECORD) -> frozenset[str]:
    """Name the results in a folder that its record tells of."""
    return frozenset(_recorded(folder, name))


def _recorded(folder: Path, name: str = RECORD) -> dict[str, Any]:
    """Read a record; one that a person or a broken disk has changed stops all work in its folder."""
    path = folder / name
    if not path.exists():
        return {}
    try:
        records = read_json(path)
    except UserError as error:
        raise Blocked(*error.messages, DAMAGED) from error
    if not isinstance(records, dict) or not all(isinstance(each, dict) for each in records.values()):
        raise Blocked(f"{path}: expected an object of results, each with its settings", DAMAGED)
    return records


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Make tuples lists, as they become on disk."""
    return json.loads(json.dumps(settings))
