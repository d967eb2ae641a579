"""A small training shared by two halves of this processor: ``python mirrored.py ENGINE DIRECTORY``."""

import json
import sys
from pathlib import Path

import contests
import small
import tensorflow as tf

from kerasseg.data.batches import ValidationBatches
from kerasseg.training.devices import share
from kerasseg.training.encoder import EncoderRate

if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    name, directory = sys.argv[1], Path(sys.argv[2])
    with share(["CPU:0", "CPU:1"]).scope():
        if name in contests.ENGINES:
            engine, watching = contests.ENGINES[name](), []
        else:
            model = small.model()
            engine = small.engine(model)
            watching = [EncoderRate(engine, model, frozen_epochs=1, rate=0.5)]
    # oneDNN fails on the empty half of a batch of one, so the validation images are even.
    validation = ValidationBatches(small.samples(directory / "data")[:4], **small.ARGUMENTS)
    history = small.go(engine, directory, validation=validation, epochs=3, watching=watching)
    print(json.dumps(history.rows))
