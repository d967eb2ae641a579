"""Train a model on images with targets: the story of a training, epoch by epoch.

An epoch is a function of the state before it and of its number alone. Its batches are a slice of an endless
stream, its dropout is drawn from (seed, epoch), and its learning rate follows from the validation losses so
far. So a training that was killed at any moment goes on from its last checkpoint and, on a CPU, ends with the
very weights that it would have had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np

from kerasseg.console import say
from kerasseg.data.pipeline import dataset
from kerasseg.data.stream import Stream
from kerasseg.errors import UserError
from kerasseg.losses import Loss
from kerasseg.metrics.streaming import Dice
from kerasseg.training import checkpoint, history
from kerasseg.training.callbacks import Progress, StopOnDivergence, TrainingDiverged, tensorboard
from kerasseg.training.history import History, Row
from kerasseg.training.normalization import fused
from kerasseg.training.optimizers import OPTIMIZERS
from kerasseg.training.schedule import stop

Schedule = Callable[..., float]

__all__ = ["OPTIMIZERS", "History", "TrainingDiverged", "train"]

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
    schedule: Schedule | None = None,
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
        Its arguments are used, and not itself: it may be made anywhere.
    epochs : int
        Most epochs.
    directory : Path
        Gets ``history.csv``, ``checkpoints/`` and, where TensorBoard is installed, ``tensorboard/``.
    seed : int
        Of the dropout.
    steps_per_epoch : int, optional
        One pass over the training samples by default.
    early_stopping : mapping, optional
        Arguments of `kerasseg.training.schedule.stop`; none by default.
    schedule : callable, optional
        One of `kerasseg.training.schedule.SCHEDULES`, its arguments filled in; a constant rate by default.
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
    steps = steps_per_epoch or len(training)
    trained = _compile(model, loss, optimizer, threshold, activation)
    rows = _start(directory / "checkpoints", trained, resume)
    patience = early_stopping or {"patience": epochs}
    rate = partial(schedule or _constant, initial=_rate(optimizer), epochs=epochs)
    between = BetweenEpochs(directory, rows, seed=seed, epochs=epochs, patience=patience, rate=rate)
    callbacks = [between, StopOnDivergence(training, steps), Progress(epochs, steps), *tensorboard(directory)]
    try:
        if not between.stopped:
            trained.fit(
                dataset(training, start=len(rows) * steps),
                validation_data=dataset(validation, stop=len(validation)),
                initial_epoch=len(rows),
                epochs=epochs,
                steps_per_epoch=steps,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except KeyboardInterrupt:
        return _finish(directory, trained, "interrupted")
    return _finish(directory, trained, between.stopped)


class BetweenEpochs(keras.callbacks.Callback):
    """Do what is to be done before and after each epoch; what it needs to know is in `rows`.

    Parameters
    ----------
    directory : Path
        Gets ``history.csv`` and ``checkpoints/``.
    rows : list of dict
        History so far.
    seed : int
        Of the dropout.
    epochs : int
        Most epochs.
    patience : mapping
        Arguments of `kerasseg.training.schedule.stop`.
    rate : callable
        From the validation losses so far to the learning rate of the next epoch.
    """

    def __init__(
        self,
        directory: Path,
        rows: list[Row],
        *,
        seed: int,
        epochs: int,
        patience: Mapping[str, int],
        rate: Callable[[Sequence[float]], float],
    ) -> None:
        super().__init__()
        self.directory, self.rows, self.seed, self.epochs = directory, list(rows), seed, epochs
        self.patience, self.rate = patience, rate

    @property
    def stopped(self) -> str | None:
        """Why there is no next epoch; None where there is one."""
        if stop(self._losses, **self.patience):
            return "early stopping"
        return "epochs" if len(self.rows) >= self.epochs else None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Make learning rate and dropout follow from the history and the epoch's number alone."""
        self.started = time.monotonic()
        self.learning_rate = self.rate(self._losses)
        self.model.optimizer.learning_rate = self.learning_rate
        _seed_dropout(self.model, self.seed, epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep and say what the epoch came to."""
        scores = {name: logs[name] for name in ("loss", "dice", "val_loss", "val_dice")}
        seconds = round(time.monotonic() - self.started, 2)
        self.rows.append(
            {"epoch": epoch + 1, **scores, "learning_rate": self.learning_rate, "seconds": seconds}
        )
        checkpoint.save(self.directory / "checkpoints", self.model, self.rows)
        history.write(self.directory / "history.csv", self.rows)
        _say(self.rows, self.epochs)
        self.model.stop_training = self.stopped is not None

    @property
    def _losses(self) -> list[float]:
        return [row["val_loss"] for row in self.rows]


def _compile(
    model: keras.Model, loss: Loss, optimizer: keras.optimizers.Optimizer, threshold: float, activation: str
) -> keras.Model:
    """Wrap `model`, sharing its weights, so that it stays uncompiled itself."""
    classes = model.output_shape[-1] - (activation == "softmax")
    with model.distribute_strategy.scope():  # which refuses an optimiser that was made outside
        optimizer = type(optimizer).from_config(optimizer.get_config())
        trained = fused(model)
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


def _finish(directory: Path, trained: keras.Model, stopped: str) -> History:
    """Bring `trained` to its best epoch; what counts is what the last checkpoint says, also after Ctrl-C."""
    rows = checkpoint.rows(directory / "checkpoints")
    if rows:
        history.write(directory / "history.csv", rows)
    checkpoint.load_best(directory / "checkpoints", trained, rows)
    return History(rows, stopped)


def _constant(losses: Sequence[float], initial: float, epochs: int) -> float:
    return initial


def _rate(optimizer: keras.optimizers.Optimizer) -> float:
    """0.01 and not 0.009999999776: float32, in which the optimiser keeps it, holds seven digits."""
    return float(f"{float(optimizer.learning_rate):.7g}")


def _seed_dropout(trained: keras.Model, seed: int, epoch: int) -> None:
    """Make what the layers draw in an epoch depend on nothing that happened before."""
    states = [variable for variable in trained.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        state.assign(np.random.SeedSequence((seed, epoch, index)).generate_state(2))


def _say(rows: list[Row], epochs: int) -> None:
    say(LINE.format(epochs=epochs, **rows[-1]))
    if history.degenerate(rows):
        say(history.ADVICE.format(**rows[-1]), style="yellow")
