"""What a prediction was asked and how far it is, on disk: what a killed one goes on from.

The answers so far lie in ``answer.npy``, a memory map of the whole, and ``ledger.json`` beside it says how
many of its rows are finished. Rows are on the disk before the ledger counts them, and it is replaced whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.files import write_atomically

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
    _answer: np.memmap | None = field(default=None, repr=False)

    def answer(self, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
        """Open the memory map of all answers; it is made where there is none yet."""
        if self._answer is None:
            how = {"mode": "r+"} if self.rows else {"mode": "w+", "shape": shape, "dtype": dtype}
            self._answer = np.lib.format.open_memmap(self.folder / ANSWER, **how)
        return self._answer

    def keep(self, rows: slice, band: np.ndarray) -> None:
        """Write finished rows, and then count them."""
        self._answer[rows] = band
        self._answer.flush()
        self.rows = rows.stop
        _write(self)

    def close(self) -> None:
        """Remove the folder: the answer is where it was wanted."""
        self._answer = None
        shutil.rmtree(self.folder)


def open_ledger(folder: Path, asked: Mapping[str, Any], *, force: bool = False) -> Ledger:
    """Begin a prediction, or go on with one that was killed.

    Parameters
    ----------
    folder : Path
        Of this prediction alone.
    asked : mapping
        What identifies it: a mapping of names to mappings of names to JSON's values.
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
    if changed := list(_differences(begun["asked"], asked)):
        raise UserError(
            f"{folder}: a prediction was begun here that differs in {'; '.join(changed)}. "
            "Ask as before to go on with it, or start over by --force"
        )
    return Ledger(folder, asked, begun["rows"])


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / LEDGER
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _write(ledger: Ledger) -> Ledger:
    with write_atomically(ledger.folder / LEDGER) as temporary:
        temporary.write_text(json.dumps({"asked": ledger.asked, "rows": ledger.rows}, indent=1), "utf-8")
    return ledger


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    old, new = _flat(before), _flat(now)
    return [
        f"{name} ({old.get(name)} then, {new.get(name)} now)"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{part} {name}": value for part, values in tree.items() for name, value in values.items()}
