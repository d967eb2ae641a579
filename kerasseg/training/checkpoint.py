"""The state of a training between two epochs, on disk.

Each checkpoint is a folder ``epoch-0007`` with ``state.weights.h5`` (weights, batch statistics, the
optimiser's slots and its count of steps) and ``history.csv``. A folder gets that name when everything in it
is written, so it is complete or absent. Only two are kept: the last epoch, to go on from, and the best, to
use.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from kerasseg.training import history
from kerasseg.training.history import Row

UNFINISHED, STATE = ".unfinished", "state.weights.h5"


def save(directory: Path, model: keras.Model, rows: Sequence[Row]) -> None:
    """Save the state after the last of `rows`, then remove checkpoints that are neither best nor last.

    Parameters
    ----------
    directory : Path
        Where checkpoints lie; made if missing.
    model : keras.Model
        Compiled, with its optimiser built.
    rows : sequence of dict
        History up to this epoch.
    """
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = _discard(directory / UNFINISHED)
    unfinished.mkdir()
    model.save_weights(unfinished / STATE)
    history.write(unfinished / "history.csv", rows)
    _flush(unfinished)
    unfinished.rename(_folder(directory, rows[-1]))
    _flush(directory)
    _remove_all_but(directory, {_folder(directory, rows[-1]), _folder(directory, history.best(rows))})


def last(directory: Path) -> Path | None:
    """Folder of the last complete checkpoint; None where there is none."""
    return max(directory.glob("epoch-*"), key=lambda folder: int(folder.name[len("epoch-") :]), default=None)


def rows(directory: Path) -> list[Row]:
    """History up to the last complete checkpoint; empty where there is none."""
    folder = last(directory)
    return history.read(folder / "history.csv") if folder else []


def load_last(directory: Path, model: keras.Model) -> list[Row]:
    """Bring `model` to the last checkpoint.

    Parameters
    ----------
    directory : Path
        Where checkpoints lie; may be missing.
    model : keras.Model
        Compiled, with its optimiser built.

    Returns
    -------
    list of dict
        History up to that epoch; empty, and the model as it was, where there is no checkpoint.
    """
    if folder := last(directory):
        model.load_weights(folder / STATE)
    return rows(directory)


def send(directory: Path, from_chief: Callable[[Callable[[], bytes]], bytes]) -> None:
    """Give the workers, who all call it, the chief's last checkpoint; those that have it keep it.

    Parameters
    ----------
    directory : Path
        Where checkpoints lie, on each worker.
    from_chief : callable
        See `kerasseg.training.devices.from_chief`.
    """
    name = from_chief(lambda: getattr(last(directory), "name", "").encode()).decode()
    for file in (STATE, "history.csv") if name else ():
        path = directory / Path(name).name / file
        content = from_chief(path.read_bytes)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def load_best(directory: Path, model: keras.Model, rows: Sequence[Row]) -> None:
    """Bring `model` to the best of `rows`; leave it as it is where there are none."""
    if rows:
        model.load_weights(_folder(directory, history.best(rows)) / STATE)


def _folder(directory: Path, row: Row) -> Path:
    return directory / f"epoch-{row['epoch']:04d}"


def _remove_all_but(directory: Path, kept: set[Path]) -> None:
    for folder in set(directory.glob("epoch-*")) - kept:
        _discard(folder.rename(directory / UNFINISHED))


def _discard(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _flush(folder: Path) -> None:
    """Wait until a folder and its files are on the disk, and not only on their way."""
    for path in (*filter(Path.is_file, folder.iterdir()), folder):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
