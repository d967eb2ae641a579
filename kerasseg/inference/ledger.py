"""What a prediction was asked and how far it is, on disk: what a killed one goes on from.

The answers so far lie in ``answer.npy``, which is as large as the whole, and ``ledger.json`` beside it says
how many of its rows are finished. Rows are on the disk before the ledger counts them, and it is replaced
whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.errors import UserError, changes
from kerasseg.files import write_atomically
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk

LEDGER, ANSWER = "ledger.json", "answer.npy"


@dataclass
class Ledger:
    """A prediction's folder, which is there while it is not finished.

    Attributes
    ----------
    folder : Path
        Holds ``ledger.json`` and ``answer.npy``.
    asked : dict
        What identifies the prediction: model, image, settings; of JSON's types.
    rows : int
        Rows of the image (planes of a volume) that are finished.
    """

    folder: Path
    asked: dict[str, Any]
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
        _write(self)

    def close(self) -> None:
        """Remove the folder: the answer is where it was wanted."""
        self.__dict__.pop("answer", None)  # or the map would hold the removed file's place on the disk
        (self.folder / LEDGER).unlink()  # first: rows that are counted are never missing
        shutil.rmtree(self.folder)


def is_begun(folder: Path) -> bool:
    """Tell whether a prediction was begun in a folder and has not been finished."""
    return (folder / LEDGER).exists()


def open_ledger(folder: Path, asked: Mapping[str, Any], *, force: bool = False) -> Ledger:
    """Begin a prediction, or go on with one that was killed.

    Parameters
    ----------
    folder : Path
        Of this prediction alone.
    asked : mapping
        What identifies it: names to JSON's values, or to further such mappings.
    force : bool
        Whether to begin again in any case.

    Returns
    -------
    Ledger

    Raises
    ------
    UserError
        If what was begun there was asked otherwise; every difference is named.
    """
    asked = json.loads(json.dumps(asked))  # tuples become lists, as they do on disk
    if force:
        shutil.rmtree(folder, ignore_errors=True)
    begun = _read(folder)
    if begun is None:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(Ledger(folder, asked))
    if changed := changes(begun["asked"], asked):
        raise UserError(
            f"{folder}: another prediction was begun here; ask as before to go on with it, or start over by "
            "--force",
            *(f"  {line}" for line in changed),
        )
    return Ledger(folder, asked, begun["rows"])


def _read(folder: Path) -> dict[str, Any] | None:
    return json.loads((folder / LEDGER).read_text(encoding="utf-8")) if is_begun(folder) else None


def _write(ledger: Ledger) -> Ledger:
    with write_atomically(ledger.folder / LEDGER) as temporary:
        temporary.write_text(json.dumps({"asked": ledger.asked, "rows": ledger.rows}, indent=1), "utf-8")
    return ledger
