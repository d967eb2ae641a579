"""One worker of a small training: ``python workers.py ENGINE DIRECTORY [EPOCHS]``, with TF_CONFIG or without.

The networks draw nothing, as each worker would draw other numbers than one process does for the whole batch.
It leaves all weights in ``DIRECTORY/weights.npz``.
"""

import os
import sys
from pathlib import Path

import contests
import keras
import numpy as np
import small
import tensorflow as tf
from keras import layers

from kerasseg.data.batches import TrainingBatches
from kerasseg.training import devices


def network(inputs: int = 1, outputs: int = 1) -> keras.Model:
    """Batch normalisation after a convolution, as in every architecture here."""
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, inputs))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, layers.Conv2D(outputs, 3, padding="same", activation="sigmoid")(x))


def engine(name: str) -> keras.Model:
    if name == "supervised":
        return small.engine(network(), keras.optimizers.SGD(0.05, momentum=0.9))
    contests.generator = network
    changes = {"replay": 0, "batch_size": 4} if name == "cycle" else {}
    return contests.ENGINES[name](**changes)


if __name__ == "__main__":
    name, directory = sys.argv[1], Path(sys.argv[2])
    strategy = devices.join().strategy if "TF_CONFIG" in os.environ else tf.distribute.get_strategy()
    with strategy.scope():
        trained = engine(name)
    batches = small.ARGUMENTS | {"batch_size": 4}
    augment = [{"HorizontalFlip": {"p": 0.5}}]
    training = TrainingBatches(small.samples(directory / "data"), seed=3, augment=augment, **batches)
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    small.go(trained, directory, training=training, epochs=epochs, steps_per_epoch=10, resume=True)
    np.savez(directory / "weights.npz", *[np.asarray(each) for each in trained.get_weights()])
