"""What looks at a training while it runs: how far it is, whether its loss is a number, what it draws."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from kerasseg.console import SECONDS_BETWEEN_LINES, console
from kerasseg.data.batches import TrainingBatches, ValidationBatches
from kerasseg.data.pipeline import Feed
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.masks import IGNORE

SHOWN = 4
"""Images that are drawn and compared."""

GAP = 2  # pixels between pictures
LINE = 79  # characters, of a line that is rewritten


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
    validated : int, default 0
        Batches of validation after the steps, of which a large image has many.
    """

    def __init__(self, epochs: int, steps: int, validated: int = 0) -> None:
        super().__init__()
        self.epochs, self.steps, self.validated = epochs, steps, validated

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clocks."""
        self.title = f"epoch {epoch + 1}/{self.epochs}"
        self.started = self.shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show the step if what was shown last is a while ago."""
        if self._is_due():
            self._show(f"step {batch + 1}/{self.steps}  loss {logs['loss']:.4f}", batch + 1, self.steps)

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock of the validation."""
        self.started = time.monotonic()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show how far the validation is, likewise."""
        if self._is_due():
            self._show(f"validation {batch + 1}/{self.validated}", batch + 1, self.validated)

    def _is_due(self) -> bool:
        interval = 0.2 if console.is_terminal else SECONDS_BETWEEN_LINES
        return time.monotonic() - self.shown > interval

    def _show(self, where: str, done: int, all_of: int) -> None:
        self.shown = time.monotonic()
        rate = done / (self.shown - self.started)
        line = f"{self.title}  {where}  {rate:.2f} steps/s  {(all_of - done) / rate:.0f} s left"
        if console.is_terminal:
            console.print(line.ljust(LINE), end="\r", markup=False)  # over a longer one
        else:
            console.print(line, markup=False)


def tensorboard(directory: Path) -> list[keras.callbacks.Callback]:
    """What writes ``directory/tensorboard/``; nothing where the package ``tensorboard`` is not installed."""
    if find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(directory / "tensorboard"), write_graph=False)]


class SampleImages(keras.callbacks.Callback):
    """Draw translations at the end of each epoch, and log how much those of different images differ.

    Each row of a picture is an image, the mask made of it and the image made of that; then a mask, the image
    made of it and the mask made of that. Volumes show their middle plane.

    Parameters
    ----------
    validation : ValidationBatches
        Its first images and targets are used.
    directory : Path
        Gets ``epoch-0001.png`` and so on.
    """

    def __init__(self, validation: ValidationBatches, directory: Path) -> None:
        super().__init__()
        batches = [validation.batch(index) for index in range(min(SHOWN, len(validation)))]
        images, targets = (np.concatenate(parts)[:SHOWN] for parts in zip(*batches, strict=True))
        self.images, self.masks = images, np.where(targets == IGNORE, 0, targets).astype(np.float32)
        self.directory = directory

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Add ``difference`` to what the epoch tells, and draw."""
        to_masks, to_images = self.model.generators
        made_masks, made_images = _answers(to_masks, self.images), _answers(to_images, self.masks)
        logs["difference"] = difference(made_masks)
        columns = (
            *(self.images, made_masks, _answers(to_images, made_masks)),
            *(self.masks, made_images, _answers(to_masks, made_images)),
        )
        files.write(self.directory / f"epoch-{epoch + 1:04d}.png", sheet(columns))


def difference(answers: np.ndarray) -> float:
    """Mean absolute difference between all pairs of answers ``(B, ...)``; not a number where there is one."""
    count = len(answers)
    pairs = [np.abs(answers[i] - answers[j]).mean() for i in range(count) for j in range(i)]
    return float(np.mean(pairs)) if pairs else float("nan")


def sheet(columns: tuple[np.ndarray, ...]) -> np.ndarray:
    """Lay pictures side by side.

    Parameters
    ----------
    columns : tuple of np.ndarray
        Each ``(B, Y, X, C)`` or ``(B, Z, Y, X, C)`` in [0, 1], of the same B, Y and X: one row for each of B.

    Returns
    -------
    np.ndarray
        ``(Y', X', 3)`` uint8.
    """
    rows = [
        np.concatenate([_framed(picture(each)) for each in row], axis=1) for row in zip(*columns, strict=True)
    ]
    return np.concatenate(rows)


def picture(array: np.ndarray) -> np.ndarray:
    """Colour ``(Y, X, C)``, or the middle plane of ``(Z, Y, X, C)``, as ``(Y, X, 3)`` uint8.

    One channel is grey, two are red and green, of more the first three are shown; 0 is black and 1 is full,
    whatever there is between them, so that pictures of different epochs compare.
    """
    plane = array[len(array) // 2] if array.ndim == 4 else array
    channels = plane.shape[-1]
    colours = np.repeat(plane, 3, axis=-1) if channels == 1 else np.zeros((*plane.shape[:2], 3), np.float32)
    if channels > 1:
        colours[..., :channels] = plane[..., :3]
    return np.rint(255 * colours.clip(0, 1)).astype(np.uint8)


def _framed(image: np.ndarray) -> np.ndarray:
    return np.pad(image, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def _answers(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Answer one by one: volumes are large."""
    return np.concatenate([np.asarray(network(each[None], training=False), np.float32) for each in images])
