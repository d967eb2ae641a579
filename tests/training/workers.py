"""One worker of small trainings: ``python workers.py DIRECTORY [BATCH]``, told of the other by TF_CONFIG.

It leaves all weights in ``DIRECTORY/ENGINE/weights.npz``, unless it is killed where it makes a certain batch.
"""

import sys
from pathlib import Path

import contests
import keras
import numpy as np
import small
import tensorflow as tf
from keras import layers

from kerasseg.data.batches import TrainingBatches
from kerasseg.errors import UserError
from kerasseg.training import devices
from kerasseg.training.encoder import EncoderRate
from kerasseg.training.keras_speedups import SGD

ENGINES = ("supervised", "adversarial", "cycle")
EPOCHS, STEPS, BATCH = 5, 10, 4


def network(inputs: int = 1, outputs: int = 1) -> keras.Model:
    """A network that draws nothing: workers draw other numbers than one process for the whole batch."""
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, inputs))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="encoder_conv")(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="encoder_bn")(x))
    return keras.Model(image, layers.Conv2D(outputs, 3, padding="same", activation="sigmoid")(x))


def engine(name: str) -> tuple[keras.Model, list[keras.callbacks.Callback]]:
    """Make an engine; the encoder of the supervised one is frozen at first, and then slower than the rest."""
    if name == "supervised":
        model = network()
        engine = small.engine(model, SGD(0.05, momentum=0.9))
        return engine, [EncoderRate(engine, model, frozen_epochs=1, rate=0.5)]
    contests.generator, contests.Adam = network, SGD
    return contests.ENGINES[name](**{"replay": 0, "batch_size": BATCH} if name == "cycle" else {}), []


def learn(name: str, directory: Path, strategy: tf.distribute.Strategy) -> list[np.ndarray]:
    """Train an engine, or go on with that, and return all its weights."""
    with strategy.scope():
        trained, watching = engine(name)
    augment = [{"HorizontalFlip": {"p": 0.5}}]
    arguments = small.ARGUMENTS | {"batch_size": BATCH}
    training = TrainingBatches(small.samples(directory / "data"), seed=3, augment=augment, **arguments)
    options = {"epochs": EPOCHS, "steps_per_epoch": STEPS, "watching": watching}
    small.go(trained, directory, training=training, resume=True, **options)
    return [np.asarray(variable) for variable in trained.get_weights()]


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    if len(sys.argv) > 2:
        small._die_at_batch(int(sys.argv[2]))
    try:
        with devices.if_lost():
            strategy = devices.join().strategy
            for name in ENGINES:
                np.savez(directory / name / "weights.npz", *learn(name, directory / name, strategy))
    except UserError as error:
        sys.exit(str(error))
