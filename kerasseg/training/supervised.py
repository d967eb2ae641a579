"""Train a model on images with targets: the story of a training, epoch by epoch.

An epoch is a function of the state before it and of its number alone. Its batches are a slice of an endless
stream, its dropout is drawn from (seed, epoch), and its learning rate follows from the validation losses so
far. So a training that was killed at any moment goes on from its last checkpoint and, on a CPU, ends with the
very weights that it would have had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from kerasseg.console import say
from kerasseg.data.pipeline import dataset
from kerasseg.data.stream import Stream
from kerasseg.errors import UserError
from kerasseg.losses import Loss
from kerasseg.metrics.streaming import Dice
from kerasseg.training import checkpoint, history, schedule
from kerasseg.training.callbacks import Progress, StopOnDivergence, TrainingDiverged
from kerasseg.training.history import History, Row

__all__ = ["OPTIMIZERS", "History", "TrainingDiverged", "train"]

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
}

LINE = (
    "epoch {epoch}/{epochs}  loss {loss:.4f}  dice {dice:.4f}  val_loss {val_loss:.4f}"
    "  val_dice {val_dice:.4f}  learning rate {learning_rate:.2g}  {seconds:.1f} s"
)


def train(
    model: keras.Model,
    training: Stream,
    validation: Stream,
    *,
    loss: Loss,
    optimizer: keras.optimizers.Optimizer,
    epochs: int,
    directory: Path,
    seed: int,
    steps_per_epoch: int | None = None,
    early_stopping: Mapping[str, int] | None = None,
    reduce_lr: Mapping[str, float] | None = None,
    threshold: float = 0.5,
    activation: str = "sigmoid",
    resume: bool = False,
) -> History:
    """Train until epochs or patience run out, and leave `model` with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        From images ``(B, Y, X, C)`` to probabilities ``(B, Y, X, K)``, built under the scope of its devices.
        It stays uncompiled, so that its file holds nothing of the training.
    training : Stream
        Endless batches.
    validation : Stream
        As many batches as its length.
    loss : callable
        One of `kerasseg.losses.LOSSES`, with its numbers filled in.
    optimizer : keras.optimizers.Optimizer
        Not used before.
    epochs : int
        Most epochs.
    directory : Path
        Gets ``history.csv`` and ``checkpoints/``.
    seed : int
        Of the dropout.
    steps_per_epoch : int, optional
        One pass over the training samples by default.
    early_stopping, reduce_lr : mapping, optional
        Arguments of `schedule.stop` and `schedule.learning_rate`; neither happens by default.
    threshold, activation : float, {"sigmoid", "softmax"}
        For the Dice that the history shows.
    resume : bool
        Whether to go on from the last checkpoint in `directory`.

    Returns
    -------
    History
        Of all epochs, those before a resumption included. After Ctrl-C, of those that were completed.

    Raises
    ------
    TrainingDiverged
        If the loss is no longer a number; names the files of the step. The last checkpoint stays.
    UserError
        If `directory` holds checkpoints that were not to be resumed.
    """
    checkpoints, first_rate = directory / "checkpoints", _in_decimals(optimizer.learning_rate)
    trained = _compile(model, loss, optimizer, threshold, activation)
    rows = _start(checkpoints, trained, resume)
    held_out = dataset(validation, stop=len(validation))
    steps = steps_per_epoch or len(training)
    try:
        while not (stopped := _reason_to_stop(rows, epochs, early_stopping)):
            epoch, started = len(rows), time.monotonic()
            rate = _next_rate(rows, first_rate, reduce_lr)
            trained.optimizer.learning_rate = rate
            _seed_dropout(trained, seed, epoch)
            watch = [StopOnDivergence(training, epoch, steps), Progress(epoch, epochs, steps)]
            batches = dataset(training, start=epoch * steps, stop=(epoch + 1) * steps)
            fitted = trained.fit(batches, validation_data=held_out, callbacks=watch, shuffle=False, verbose=0)
            rows.append(_row(epoch, fitted, rate, time.monotonic() - started))
            checkpoint.save(checkpoints, trained, rows)
            history.write(directory / "history.csv", rows)
            _say(rows, epochs)
    except KeyboardInterrupt:
        rows, stopped = checkpoint.rows(checkpoints), "interrupted"
    checkpoint.load_best(checkpoints, trained, rows)
    return History(rows, stopped)


def _compile(
    model: keras.Model, loss: Loss, optimizer: keras.optimizers.Optimizer, threshold: float, activation: str
) -> keras.Model:
    """Wrap `model`, sharing its weights, so that it stays uncompiled itself."""
    classes = model.output_shape[-1] - (activation == "softmax")
    with model.distribute_strategy.scope():
        trained = keras.Model(model.inputs, model.outputs, name=model.name)
        trained.compile(optimizer, loss, metrics=[Dice(classes, threshold, activation)], jit_compile=False)
        trained.optimizer.build(trained.trainable_variables)
    return trained


def _start(checkpoints: Path, trained: keras.Model, resume: bool) -> list[Row]:
    """History so far, with `trained` brought to its end."""
    if resume:
        return checkpoint.load_last(checkpoints, trained)
    if checkpoint.last(checkpoints):
        raise UserError(f"{checkpoints}: a training was begun here; resume it, or choose another directory")
    return []


def _in_decimals(rate: float) -> float:
    """0.01 and not 0.009999999776: float32, in which the optimiser keeps it, holds seven digits."""
    return float(f"{float(rate):.7g}")


def _reason_to_stop(rows: list[Row], epochs: int, early_stopping: Mapping[str, int] | None) -> str | None:
    if early_stopping and schedule.stop(_losses(rows), **early_stopping):
        return "early stopping"
    return "epochs" if len(rows) >= epochs else None


def _next_rate(rows: list[Row], initial: float, reduce_lr: Mapping[str, float] | None) -> float:
    return schedule.learning_rate(_losses(rows), initial, **reduce_lr) if reduce_lr else initial


def _seed_dropout(trained: keras.Model, seed: int, epoch: int) -> None:
    """Make what the layers draw in an epoch depend on nothing that happened before."""
    states = [variable for variable in trained.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        state.assign(np.random.SeedSequence((seed, epoch, index)).generate_state(2))


def _row(epoch: int, fitted: keras.callbacks.History, rate: float, seconds: float) -> Row:
    scores = {name: fitted.history[name][0] for name in ("loss", "dice", "val_loss", "val_dice")}
    return {"epoch": epoch + 1, **scores, "learning_rate": rate, "seconds": round(seconds, 2)}


def _say(rows: list[Row], epochs: int) -> None:
    say(LINE.format(epochs=epochs, **rows[-1]))
    if history.degenerate(rows):
        say(history.ADVICE.format(**rows[-1]), style="yellow")


def _losses(rows: list[Row]) -> list[float]:
    return [row["val_loss"] for row in rows]
