"""What every epoch came to: one row each, kept as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.images.files import write_atomically

Row = dict[str, float]


@dataclass(frozen=True)
class History:
    """How a training went.

    Parameters
    ----------
    rows : list of dict
        One an epoch: ``epoch`` (from 1), ``loss``, ``dice``, ``val_loss``, ``val_dice``, ``learning_rate``,
        ``seconds``.
    stopped : str
        Why it ended: ``"epochs"`` (all were done), ``"early stopping"`` or ``"interrupted"``.
    """

    rows: list[Row]
    stopped: str

    @property
    def best(self) -> Row | None:
        """The epoch whose weights were kept: the lowest validation loss, the first of equals."""
        return best(self.rows)


def best(rows: Sequence[Row]) -> Row | None:
    """Row with the lowest validation loss, NaN being the highest; None where there is no row."""
    return min(rows, key=lambda row: np.nan_to_num(row["val_loss"], nan=np.inf), default=None)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, complete or not at all; `read` gives the very same numbers."""
    with write_atomically(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def read(path: Path) -> list[Row]:
    """Read what `write` wrote."""
    with path.open(newline="") as file:
        return [_numbers(row) for row in csv.DictReader(file)]


def degenerate(rows: Sequence[Row]) -> bool:
    """Whether the last epoch learnt its training images and yet finds next to nothing in validation images.

    Batch normalisation does that to small data: in training it uses each batch's own statistics, in
    validation a moving average that lags by hundreds of steps.

    Parameters
    ----------
    rows : sequence of dict
        The epochs so far.

    Returns
    -------
    bool
        True where the training loss fell and validation's Dice is less than a tenth of training's.
    """
    first, last = rows[0], rows[-1]
    return last["loss"] < first["loss"] and last["val_dice"] < 0.1 * last["dice"]


ADVICE = (
    "training improves but validation finds next to nothing (Dice {val_dice:.3f} against {dice:.3f} in "
    "training): the moving averages of batch normalisation lag behind, as they do on few images. Lower "
    "model.*.batchnorm_momentum (0.9 instead of 0.99), or raise train.early_stopping.start_from_epoch so "
    "that patience does not count yet"
)


def _numbers(row: dict[str, str]) -> Row:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
