"""Train StarDist for so many processor seconds, and predict the test images with it.

    PYTHON tools/bench/accuracy_stardist.py FOLDER SECONDS SEED

`accuracy.py` calls it with an interpreter that has stardist and tf_keras, and need not have kerasseg.
FOLDER holds ``train``, ``validation`` and ``test``, in each of which ``N.npz`` is an ``image`` (Y, X)
float32 in [0, 1] with its ``labels`` (Y, X) int32. It gets ``predicted/N.npy`` for each test image, and
``figures.json``. Network and training are StarDist's own with its own defaults; the augmentation is that of
its example.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
from stardist.models import Config2D, StarDist2D

STEPS = 20  # of an epoch


class UntilSpent(tf.keras.callbacks.Callback):
    """Ends a training when its processor time is spent."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.end = time.process_time() + seconds
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Look at the clock."""
        self.steps += 1
        self.model.stop_training = time.process_time() > self.end


def augmentation(seed: int) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Turn, mirror and brighten at random, and add noise, as in StarDist's example of training."""
    rng = np.random.default_rng(seed)

    def augmented(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        axes = rng.permutation(image.ndim)
        image, labels = image.transpose(axes), labels.transpose(axes)
        for axis in range(image.ndim):
            if rng.random() > 0.5:
                image, labels = np.flip(image, axis), np.flip(labels, axis)
        image = image * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2)
        return image + rng.uniform(0, 0.02) * rng.normal(0, 1, image.shape), labels

    return augmented


def pairs(folder: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Read the images and the labels of a folder."""
    arrays = [np.load(path) for path in sorted(folder.glob("*.npz"))]
    return [array["image"] for array in arrays], [array["labels"] for array in arrays]


def main() -> None:
    """Train, predict, and write down what that took."""
    folder, seconds, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    tf.keras.utils.set_random_seed(seed)
    began = time.process_time()
    config = Config2D(n_channel_in=1, grid=(2, 2), train_epochs=100_000, train_steps_per_epoch=STEPS)
    model = StarDist2D(config, name="model", basedir=str(folder))
    model.prepare_for_training()
    until = UntilSpent(seconds)
    model.callbacks.append(until)
    validation = pairs(folder / "validation")
    model.train(*pairs(folder / "train"), validation_data=validation, augmenter=augmentation(seed), seed=seed)
    model.optimize_thresholds(*validation)
    (folder / "predicted").mkdir(exist_ok=True)
    for path in sorted((folder / "test").glob("*.npz")):
        labels, _ = model.predict_instances(np.load(path)["image"])
        np.save(folder / "predicted" / f"{path.stem}.npy", labels.astype(np.int32))
    figures = {"processor_s": round(time.process_time() - began, 1), "steps": until.steps}
    (folder / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
