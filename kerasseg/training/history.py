"""What every epoch came to: one row each, kept as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.files import write_atomically

Row = dict[str, float]

ALIKE = 1e-3
"""Mean difference, in probability, between answers to different images under which they are one answer."""

DIVERGENCE = "divergence"
"""Why a training ended whose loss was no finite number any more."""

NEXT_TO_NOTHING = 0.01
"""Dice of what is as good as nothing."""

FOR_GOOD = 3
"""Epochs of one answer after which no other is hoped for; a young generator may find nothing for one."""


@dataclass(frozen=True)
class History:
    """How a training went.

    Parameters
    ----------
    rows : list of dict
        One an epoch: ``epoch`` (from 1), ``loss``, ``val_loss``, ``learning_rate``, ``seconds``, and what
        else an engine tells of itself, such as ``dice`` and ``val_dice``.
    stopped : str
        Why it ended: ``"epochs"`` (all were done), ``"early stopping"``, ``"mode collapse"``,
        ``"divergence"`` or ``"interrupted"``.
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


def ordered(logs: Mapping[str, float]) -> Row:
    """What an engine logged: of training, then of validation, each time the loss first."""
    names = sorted(logs, key=lambda name: (name.startswith("val_"), name not in ("loss", "val_loss"), name))
    return {name: logs[name] for name in names}


def line(row: Row, epochs: int) -> str:
    """Say what an epoch came to, on one line."""
    rest = ("epoch", "learning_rate", "seconds")
    scores = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in rest)
    rate, seconds = row["learning_rate"], row["seconds"]
    return f"epoch {row['epoch']}/{epochs}  {scores}  learning rate {rate:.2g}  {seconds:.1f} s"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, complete or not at all; `read` gives the very same numbers.

    The first row says which columns there are: what others have beside them is left out, what they lack is
    no number.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), restval=math.nan, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def read(path: Path) -> list[Row]:
    """Read what `write` wrote; nothing where there is no file yet."""
    if not path.exists():
        return []
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
        True where the training loss fell and validation's Dice is less than a tenth of training's; False
        where either Dice is not known.
    """
    first, last = rows[0], rows[-1]
    if not {"dice", "val_dice"} <= set(last):
        return False
    return last["loss"] < first["loss"] and last["val_dice"] < 0.1 * last["dice"]


def collapsed(rows: Sequence[Row]) -> bool:
    """Whether inputs are answered alike for good: ``difference`` was under `ALIKE` for `FOR_GOOD` epochs."""
    last = rows[-FOR_GOOD:]
    return len(last) == FOR_GOOD and all(row.get("difference", math.inf) < ALIKE for row in last)


def failures(rows: Sequence[Row], stopped: str | None) -> list[str]:
    """Say why a training failed, though it left a model.

    Parameters
    ----------
    rows : sequence of dict
        All epochs.
    stopped : str or None
        See `History`; None where the training has not ended.

    Returns
    -------
    list of str
        A sentence for each: the loss was no number any more, no epoch of three and more was better than the
        first, or the best one finds next to nothing in validation images. Empty where all is well.
    """
    kept, failures = best(rows), []
    if stopped == DIVERGENCE:
        failures.append(
            f"The training diverged in epoch {len(rows) + 1}: a loss was no finite number any more. The "
            f"weights of epoch {kept['epoch']} are kept; lower train.optimizer.*.learning_rate"
        )
    if len(rows) >= FOR_GOOD and kept is rows[0]:
        failures.append(
            f"No epoch was better than the first, whose validation loss is {kept['val_loss']:.4g}: the "
            "training diverged, or there was nothing more to learn; lower train.optimizer.*.learning_rate"
        )
    if rows and kept.get("val_dice", 1) < NEXT_TO_NOTHING:
        failures.append(
            f"The model finds next to nothing: its validation Dice is {kept['val_dice']:.3f}, as where all "
            "is called background, or no validation image holds anything; see the curves, and lower "
            "train.optimizer.*.learning_rate where they jump"
        )
    return failures


ADVICE = (
    "training improves but validation finds next to nothing (Dice {val_dice:.3f} against {dice:.3f} in "
    "training): the moving averages of batch normalisation lag behind, as they do on few images. Lower "
    "model.*.batchnorm_momentum (0.9 instead of 0.99), or raise train.early_stopping.start_from_epoch so "
    "that patience does not count yet"
)


def _numbers(row: dict[str, str]) -> Row:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
