"""What looks at a training while it runs: how far it is, and whether its loss is still a number."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import keras

from kerasseg.console import SECONDS_BETWEEN_LINES, console
from kerasseg.data.batches import TrainingBatches
from kerasseg.data.pipeline import Feed
from kerasseg.errors import UserError


class TrainingDiverged(UserError):
    """A loss became infinite or not a number."""


class WatchFeeds(keras.callbacks.Callback):
    """Raise what went wrong while batches were made, as it is; and close the feeds before the training goes.

    Parameters
    ----------
    *feeds : Feed
        Open.
    """

    def __init__(self, *feeds: Feed) -> None:
        super().__init__()
        self.feeds = feeds

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look whether the batches are still true ones."""
        for feed in self.feeds:
            if feed.mistake is not None:
                raise feed.mistake

    on_test_batch_end = on_train_batch_end

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Let no batch be made while iterators are taken down."""
        for feed in self.feeds:
            feed.close()


class StopOnDivergence(keras.callbacks.Callback):
    """Stop at the first step that makes a loss or a score no finite number, and name its files.

    Parameters
    ----------
    training : TrainingBatches
        What the batches come from.
    steps : int
        Steps in an epoch.
    """

    def __init__(self, training: TrainingBatches, steps: int) -> None:
        super().__init__()
        self.training, self.steps = training, steps

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Know which batches come."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look at the means of the epoch so far: they stop being finite at the very step that does."""
        for name, value in logs.items():
            if not math.isfinite(value):
                files = ", ".join(self.training.names(self.epoch * self.steps + batch))
                raise TrainingDiverged(
                    f"epoch {self.epoch + 1}, step {batch + 1}: the {name} became {value} at {files}; "
                    "look at these files, or lower train.optimizer.*.learning_rate"
                )


class Progress(keras.callbacks.Callback):
    """Say every few seconds how far an epoch is: one line rewritten on a terminal, plain lines elsewhere.

    Parameters
    ----------
    epochs, steps : int
        How many epochs there are at most, and steps in each.
    """

    def __init__(self, epochs: int, steps: int) -> None:
        super().__init__()
        self.epochs, self.steps = epochs, steps

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clocks."""
        self.title = f"epoch {epoch + 1}/{self.epochs}"
        self.started = self.shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show the step if the last one shown is a while ago."""
        interval = 0.2 if console.is_terminal else SECONDS_BETWEEN_LINES
        if time.monotonic() - self.shown > interval:
            self.shown = time.monotonic()
            console.print(
                self._line(batch + 1, logs["loss"]), end="\r" if console.is_terminal else "\n", markup=False
            )

    def _line(self, done: int, loss: float) -> str:
        rate = done / (time.monotonic() - self.started)
        left = (self.steps - done) / rate
        return (
            f"{self.title}  step {done}/{self.steps}  loss {loss:.4f}  {rate:.2f} steps/s  {left:.0f} s left"
        )


def tensorboard(directory: Path) -> list[keras.callbacks.Callback]:
    """What writes ``directory/tensorboard/``; nothing where the package ``tensorboard`` is not installed."""
    if find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(directory / "tensorboard"), write_graph=False)]
