"""What two generators make of the same few held-out images and masks, epoch after epoch."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from kerasseg.data.batches import ValidationBatches
from kerasseg.images import files
from kerasseg.masks import IGNORE

SHOWN = 4
"""Images that are drawn and compared."""

GAP = 2  # pixels between pictures


class Samples(keras.callbacks.Callback):
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
        made_masks, made_images = _made(to_masks, self.images), _made(to_images, self.masks)
        logs["difference"] = difference(made_masks)
        columns = (
            *(self.images, made_masks, _made(to_images, made_masks)),
            *(self.masks, made_images, _made(to_masks, made_images)),
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


def _made(network: keras.Model, given: np.ndarray) -> np.ndarray:
    """Answer one by one: volumes are large."""
    return np.concatenate([np.asarray(network(each[None], training=False), np.float32) for each in given])
