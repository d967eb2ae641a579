"""Contests small enough to repeat: networks of a few convolutions, and engines on the images of `small`.

As a program, ``python contests.py ENGINE DIRECTORY``, it is killed, resumed, and leaves all weights in
``DIRECTORY/weights.npz``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import small
from keras import layers
from keras.optimizers import SGD

from kerasseg.recipe.train import Dice
from kerasseg.training.adversarial import adversarial
from kerasseg.training.cycle import cycle
from kerasseg.training.keras_speedups import Adam

DECISION = {"threshold": 0.5, "activation": "sigmoid"}
CYCLE = {"cycle_weight": 10.0, "identity_weight": 5.0, "class_weights": None, "replay": 0}
CYCLE |= {"choose_by": "cycle", **DECISION}


def generator(inputs: int = 1, outputs: int = 1) -> keras.Model:
    """Layers that could remember: batch statistics and dropout."""
    image = keras.Input((None, None, inputs))
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Dropout(0.2)(layers.BatchNormalization(momentum=0.5)(x))
    return keras.Model(image, layers.Conv2D(outputs, 3, padding="same", activation="sigmoid")(x))


def discriminator(shapes: Sequence[tuple[int | None, ...]]) -> keras.Model:
    given = [keras.Input(shape) for shape in shapes]
    x = layers.Concatenate()(given) if len(given) > 1 else given[0]
    x = layers.LeakyReLU()(layers.Conv2D(4, 4, strides=2, padding="same")(x))
    return keras.Model(given if len(given) > 1 else given[0], layers.Conv2D(1, 4, padding="same")(x))


def judged(rate: float = 0.01, discriminator_rate: float = 0.02, **changes) -> keras.Model:
    keras.utils.set_random_seed(1)
    optimizers = {
        "optimizer": Adam(rate),
        "discriminator_optimizer": SGD(discriminator_rate),
    }
    given = {"loss": Dice().build(), "weight": 5.0, **DECISION} | changes
    return adversarial(generator(), discriminator=discriminator, **optimizers, **given)


def unpaired(rate: float = 0.01, discriminator_rate: float = 0.02, **changes) -> keras.Model:
    keras.utils.set_random_seed(1)
    optimizers = {
        "optimizer": Adam(rate),
        "discriminator_optimizer": SGD(discriminator_rate),
    }
    given = {"loss": Dice().build(), "shape": small.SIZE, "batch_size": 2, **CYCLE, "replay": 4} | changes
    return cycle(generator(), generator(), discriminator=discriminator, **optimizers, **given)


ENGINES = {"adversarial": judged, "cycle": unpaired}


def state(engine: keras.Model) -> list[np.ndarray]:
    """All that a training goes on from: networks, optimisers, and what else an engine keeps."""
    optimizers = [*engine.optimizer.variables, *engine.discriminator_optimizer.variables]
    metrics = {id(variable) for variable in engine.metrics_variables}
    kept = [each for each in engine.variables if id(each) not in metrics and "seed" not in each.path]
    return [np.asarray(variable) for variable in (*kept, *optimizers)]


def killed(name: str, directory: Path) -> None:
    """Begin in a fork of this process, which must not have used TensorFlow yet, and die in an epoch."""
    child = os.fork()
    if not child:
        small.in_the_middle_of_an_epoch()
        small.go(ENGINES[name](), directory)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) >= 0:
        sys.exit("was not killed")


if __name__ == "__main__":
    target = Path(sys.argv[2])
    killed(sys.argv[1], target)
    engine = ENGINES[sys.argv[1]]()
    small.go(engine, target, resume=True, epochs=4)
    np.savez(target / "weights.npz", *state(engine))
