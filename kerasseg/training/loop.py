"""Train whatever learns on images with targets: the story of a training, epoch by epoch.

What learns is an engine: a compiled `keras.Model` that knows its own steps, from `supervised`, `adversarial`
or `cycle`. Its ``val_loss`` is what it is chosen by.

An epoch is a function of the state before it and of its number alone. Its batches are a slice of an endless
stream, what its layers draw comes from (seed, epoch), and its learning rate follows from the validation
losses so far. So a training that was killed at any moment goes on from its last checkpoint and, on a CPU,
ends with the very weights that it would have had.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasseg.console import say
from kerasseg.data.batches import TrainingBatches, ValidationBatches
from kerasseg.data.pipeline import Feed
from kerasseg.errors import UserError
from kerasseg.models.keras_internals import random_states
from kerasseg.runs.rundirectory import CHECKPOINTS, HISTORY
from kerasseg.training import checkpoint, devices, history
from kerasseg.training.callbacks import Progress, StopOnDivergence, TrainingDiverged, WatchFeeds, tensorboard
from kerasseg.training.history import History, Row
from kerasseg.training.keras_speedups import rate
from kerasseg.training.schedule import stop

Schedule = Callable[..., float]


@dataclass(frozen=True)
class TrainingSettings:
    """How long a training goes on, and how fast.

    Parameters
    ----------
    epochs : int
        Most epochs.
    steps_per_epoch : int, optional
        One pass over the training samples by default.
    early_stopping : mapping, optional
        Arguments of `kerasseg.training.schedule.stop`; none by default.
    schedule : callable, optional
        One of `kerasseg.training.schedule`, its arguments filled in; a constant rate by default.
    """

    epochs: int
    steps_per_epoch: int | None = None
    early_stopping: Mapping[str, int] | None = None
    schedule: Schedule | None = None

    def rate(self, rows: Sequence[Row], initial: float) -> float:
        """Learning rate of the epoch after these."""
        return self.schedule(_losses(rows), initial, self.epochs) if self.schedule else initial

    def stopped(self, rows: Sequence[Row]) -> str | None:
        """Why there is no epoch after these; None where there is one."""
        if history.collapsed(rows):
            return "mode collapse"
        if self.early_stopping and stop(_losses(rows), **self.early_stopping):
            return "early stopping"
        return "epochs" if len(rows) >= self.epochs else None


def train(
    engine: keras.Model,
    training: TrainingBatches,
    validation: ValidationBatches,
    settings: TrainingSettings,
    *,
    directory: Path,
    seed: int,
    resume: bool = False,
    watching: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Train until epochs or patience run out, and leave all networks with the weights of the best epoch.

    Parameters
    ----------
    engine : keras.Model
        Compiled, its optimisers built.
    training : TrainingBatches
        Endless batches.
    validation : ValidationBatches
        As many batches as its length.
    settings : TrainingSettings
        How long, and how fast.
    directory : Path
        Gets ``history.csv``, ``checkpoints/`` and, where TensorBoard is installed, ``tensorboard/``.
    seed : int
        Of what layers draw.
    resume : bool
        Whether to go on from the last checkpoint in `directory`.
    watching : sequence of keras.callbacks.Callback
        Called before an epoch is kept: what they add to its logs stands in its row.

    Returns
    -------
    History
        Of all epochs, those before a resumption included. After Ctrl-C, and where a loss stopped being a
        number, of those that were completed.

    Raises
    ------
    TrainingDiverged
        If a loss is no number in the first epoch already; names the files of the step.
    UserError
        If `directory` holds checkpoints that were not to be resumed.
    """
    steps = settings.steps_per_epoch or len(training)
    worker, workers = devices.place(engine.distribute_strategy)
    share = training.share(worker, workers)
    between = BetweenEpochs(engine, settings, directory, seed)  # before a checkpoint brings its own rates
    between.rows = _start(directory / CHECKPOINTS, engine, resume)
    done = len(between.rows)
    progress = Progress(settings.epochs, steps, math.ceil(len(validation) / workers))
    callbacks = [*watching, between, StopOnDivergence(training, steps), progress]
    callbacks += [] if worker else tensorboard(directory)
    try:
        if not between.stopped:
            with Feed(share) as batches, Feed(validation) as held_out:
                fit(
                    engine,
                    batches.dataset(start=done * steps),
                    held_out.dataset(start=worker, step=workers),
                    epochs=range(done, settings.epochs),
                    steps=steps,
                    callbacks=[WatchFeeds(batches, held_out), *callbacks],
                )
    except KeyboardInterrupt:
        if workers > 1:
            raise  # the others wait for this one until it ends
        return _finish(directory, engine, between.rows, "interrupted")
    except TrainingDiverged as error:
        if not between.rows:
            raise
        say(str(error), style="bold yellow")
        return _finish(directory, engine, between.rows, history.DIVERGENCE)
    return _finish(directory, engine, between.rows, between.stopped)


def fit(
    engine: keras.Model,
    batches: tf.data.Dataset,
    held_out: tf.data.Dataset,
    *,
    epochs: range,
    steps: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train as `keras.Model.fit` does, which fails where several machines share a batch (keras#20585).

    Parameters
    ----------
    engine : keras.Model
        Compiled; `callbacks` may set its ``stop_training``.
    batches : tf.data.Dataset
        Endless, of this process's share of every batch.
    held_out : tf.data.Dataset
        This process's batches for validation; other processes may have more or fewer.
    epochs : range
        Numbers of the epochs, from 0.
    steps : int
        Batches in an epoch.
    callbacks : sequence of keras.callbacks.Callback
        Logs of a step are means over all processes of their epoch so far; those of an epoch are exact.
    """
    train_step, test_step = steps_of(engine)
    share = partial(devices.distributed, engine.distribute_strategy)
    calls = keras.callbacks.CallbackList(callbacks, model=engine, epochs=epochs.stop, steps=steps)
    endless, logs = iter(share(batches)), {}
    engine.stop_training = False
    calls.on_train_begin()
    for epoch in epochs:
        engine.reset_metrics()
        calls.on_epoch_begin(epoch)
        with devices.graphs_as_traced():
            for step in range(steps):
                calls.on_train_batch_begin(step)
                logs = train_step(next(endless))
                calls.on_train_batch_end(step, logs)
        row = _results(engine, logs)
        engine.reset_metrics()
        calls.on_test_begin()
        for step, batch in enumerate(share(held_out)):
            calls.on_test_batch_begin(step)
            logs = test_step(batch)
            calls.on_test_batch_end(step)
        row |= {f"val_{name}": value for name, value in _results(engine, logs).items()}
        calls.on_test_end()
        calls.on_epoch_end(epoch, row)
        if engine.stop_training:
            break
    calls.on_train_end()


def steps_of(engine: keras.Model) -> tuple[Callable, Callable]:
    """Compile a step of training and one of validation, once for all trainings of an engine.

    Parameters
    ----------
    engine : keras.Model
        Compiled.

    Returns
    -------
    train_step, test_step : callable
        From a batch ``(images, targets)`` to what the metrics say so far, by name; that of training is called
        within `kerasseg.training.devices.graphs_as_traced`.
    """
    strategy = engine.distribute_strategy

    def mean(value: tf.Tensor) -> tf.Tensor:
        return strategy.reduce("MEAN", value, axis=None)

    @tf.function(reduce_retracing=True, autograph=False)
    def train_step(batch: tuple) -> dict[str, tf.Tensor]:
        return {name: mean(value) for name, value in strategy.run(engine.train_step, (batch,)).items()}

    @tf.function(reduce_retracing=True, autograph=False)
    def test_step(batch: tuple) -> dict[str, tf.Tensor]:
        return strategy.run(engine.test_step, (batch,))

    engine.train_function = engine.train_function or train_step
    engine.test_function = engine.test_function or test_step
    return engine.train_function, engine.test_function


def _results(engine: keras.Model, names: Iterable[str]) -> dict[str, float]:
    """Read what was counted since the metrics were reset, by all processes together."""
    results = engine.get_metrics_result()
    return {name: float(results[name]) for name in names}


class BetweenEpochs(keras.callbacks.Callback):
    """Do what is to be done before and after each epoch; what it needs to know is in `rows`.

    Parameters
    ----------
    engine : keras.Model
        Its optimisers have the rates to begin with.
    settings : TrainingSettings
        How long, and how fast.
    directory : Path
        Gets ``history.csv`` and ``checkpoints/``.
    seed : int
        Of what layers draw.

    Attributes
    ----------
    rows : list of dict
        History so far.
    """

    def __init__(self, engine: keras.Model, settings: TrainingSettings, directory: Path, seed: int) -> None:
        super().__init__()
        self.settings, self.directory, self.seed, self.rows = settings, directory, seed, []
        self.initial = [rate(optimizer) for optimizer in _optimizers(engine)]

    @property
    def stopped(self) -> str | None:
        """Why there is no next epoch; None where there is one."""
        return self.settings.stopped(self.rows)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Make learning rates and what layers draw follow from the history and the epoch's number alone."""
        self.started = time.monotonic()
        self.rates = [self.settings.rate(self.rows, initial) for initial in self.initial]
        for optimizer, value in zip(_optimizers(self.model), self.rates, strict=True):
            optimizer.learning_rate = value
        _seed(self.model, self.seed, epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep and say what the epoch came to."""
        seconds = round(time.monotonic() - self.started, 2)
        rest = {"learning_rate": self.rates[0], "seconds": seconds}
        row = {"epoch": epoch + 1, **history.ordered(logs), **rest}
        strategy = self.model.distribute_strategy
        self.rows.append(json.loads(devices.from_chief(strategy, lambda: json.dumps(row).encode())))
        if devices.is_chief(strategy):
            checkpoint.save(self.directory / CHECKPOINTS, self.model, self.rows)
            history.write(self.directory / HISTORY, self.rows)
        _say(self.rows, self.settings.epochs)
        self.model.stop_training = self.stopped is not None


def _start(checkpoints: Path, engine: keras.Model, resume: bool) -> list[Row]:
    """History so far, with `engine` brought to its end."""
    if resume:
        checkpoint.send(checkpoints, partial(devices.from_chief, engine.distribute_strategy))
        return checkpoint.load_last(checkpoints, engine)
    if checkpoint.last(checkpoints):
        raise UserError(
            f"{checkpoints}: an unfinished training is here; resume it, or choose another directory"
        )
    return []


def _finish(directory: Path, engine: keras.Model, rows: list[Row], stopped: str) -> History:
    """Bring `engine` to its best epoch; what counts is what the last checkpoint says, also after Ctrl-C.

    Workers other than the chief have none, and are not asked what was learnt.
    """
    if not devices.is_chief(engine.distribute_strategy):
        return History(rows, stopped)
    rows = checkpoint.rows(directory / CHECKPOINTS)
    if rows:
        history.write(directory / HISTORY, rows)
    checkpoint.load_best(directory / CHECKPOINTS, engine, rows)
    for failure in history.failures(rows, stopped):
        say(failure, style="bold yellow")
    return History(rows, stopped)


def _losses(rows: Sequence[Row]) -> list[float]:
    return [row["val_loss"] for row in rows]


def _optimizers(engine: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Those of an engine, first the one whose rate the history shows; one schedule is for all."""
    against = getattr(engine, "discriminator_optimizer", None)
    return [engine.optimizer, against] if against else [engine.optimizer]


def _seed(engine: keras.Model, seed: int, epoch: int) -> None:
    """Make what the layers draw in an epoch depend on nothing that happened before."""
    worker, _ = devices.place(engine.distribute_strategy)
    for index, state in enumerate(random_states(engine)):
        state.assign(np.random.SeedSequence((seed, epoch, index, worker)).generate_state(2))


def _say(rows: list[Row], epochs: int) -> None:
    say(history.line(rows[-1], epochs))
    if history.degenerate(rows):
        say(history.ADVICE.format(**rows[-1]), style="yellow")
