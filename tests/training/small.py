"""A training small enough to repeat.

As a program, ``python small.py DIRECTORY``, it is killed at each of `MOMENTS`, resumed each time, and leaves
its weights in ``DIRECTORY/weights.npz``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasseg.data.batches import TrainingBatches, ValidationBatches
from kerasseg.data.sample import Annotation, Sample
from kerasseg.images import files
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.recipe.train import Adam, Combo
from kerasseg.training import checkpoint
from kerasseg.training.history import History
from kerasseg.training.loop import TrainingSettings, train
from kerasseg.training.schedule import plateau
from kerasseg.training.supervised import supervised

SIZE = (32, 32)
STEPS = 3
ARGUMENTS = {
    "class_ids": range(1, 2),
    "preprocessing": Preprocessing(1, Dtype(), None),
    "patch": None,
    "batch_size": 2,
    "multiple_of": 32,
}


def samples(directory: Path) -> list[Sample]:
    """Six grey noisy images, of which the brighter half is the cell."""
    directory.mkdir(parents=True, exist_ok=True)
    return [_sample(directory / f"{number}.png", np.random.default_rng(number)) for number in range(6)]


def flipped(directory: Path) -> TrainingBatches:
    return TrainingBatches(samples(directory), seed=3, augment=[{"HorizontalFlip": {"p": 0.5}}], **ARGUMENTS)


def model() -> keras.Model:
    """Every kind of layer that could remember or round differently."""
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="encoder_conv")(image)
    x = layers.BatchNormalization(momentum=0.5, name="encoder_bn")(x)
    x = layers.Dropout(0.3)(layers.ReLU()(x))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def learn(
    directory: Path, *, trained: keras.Model, optimizer: keras.optimizers.Optimizer | None = None, **changes
) -> History:
    """Train `trained`, by default on everything as above."""
    return go(engine(trained, optimizer), directory, **changes)


def engine(trained: keras.Model, optimizer: keras.optimizers.Optimizer | None = None) -> keras.Model:
    optimizer = optimizer or Adam(learning_rate=0.02).build()
    return supervised(
        trained,
        loss=Combo().build(),
        optimizer=optimizer,
        threshold=0.5,
        activation="sigmoid",
        landscape=False,
    )


def go(
    engine: keras.Model,
    directory: Path,
    *,
    resume: bool = False,
    training: TrainingBatches | None = None,
    validation: ValidationBatches | None = None,
    watching: Sequence[keras.callbacks.Callback] = (),
    **settings,
) -> History:
    """Train an engine on the images as above, while the rate falls."""
    schedule = partial(plateau, patience=1, factor=0.5, minimum=0.0)
    return train(
        engine,
        training or flipped(directory / "data"),
        validation or ValidationBatches(samples(directory / "data")[:3], **ARGUMENTS),
        TrainingSettings(**{"epochs": 6, "schedule": schedule} | settings),
        directory=directory,
        seed=3,
        resume=resume,
        watching=watching,
    )


def die(*_, **__) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_the_first_epoch() -> None:
    _die_at_batch(1)


def in_the_middle_of_an_epoch() -> None:
    _die_at_batch(2 * STEPS + 1)


def while_weights_are_written() -> None:
    whole = keras.Model.save_weights

    def half(self: keras.Model, path: Path) -> None:
        whole(self, path)
        os.truncate(path, path.stat().st_size // 2)
        die()

    keras.Model.save_weights = half


def before_a_checkpoint_gets_its_name() -> None:
    checkpoint.history.write = die


def while_old_checkpoints_are_removed() -> None:
    whole = checkpoint._discard
    checkpoint._discard = lambda folder: die() if any(folder.glob("*")) else whole(folder)


MOMENTS = [
    in_the_first_epoch,
    while_weights_are_written,
    while_old_checkpoints_are_removed,
    in_the_middle_of_an_epoch,
    before_a_checkpoint_gets_its_name,
]


def _die_at_batch(number: int) -> None:
    whole = TrainingBatches.batch
    TrainingBatches.batch = lambda self, index: die() if index == number else whole(self, index)


def _sample(path: Path, rng: np.random.Generator) -> Sample:
    mask = (rng.random(SIZE) > 0.5).astype(np.uint8)
    if not path.exists():
        files.write(path, (mask * 100 + rng.integers(0, 100, SIZE)).astype(np.uint8)[..., None])
    return Sample(path.stem, path, SIZE, partial(Annotation, mask))


def killed(directory: Path, moment: Callable[[], None]) -> bool:
    """Resume in a fork of this process, which must not have used TensorFlow yet, and die at `moment`."""
    child = os.fork()
    if not child:
        moment()
        learn(directory, trained=model(), resume=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


if __name__ == "__main__":
    target = Path(sys.argv[1])
    survived = [moment.__name__ for moment in MOMENTS if not killed(target, moment)]
    if survived:
        sys.exit(f"was not killed {survived}")
    last = model()
    learn(target, trained=last, resume=True)
    np.savez(target / "weights.npz", *last.get_weights())
