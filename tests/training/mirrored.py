"""The small training shared by two halves of this processor: ``python mirrored.py DIRECTORY``."""

import json
import sys
from pathlib import Path

import small
import tensorflow as tf

from kerasseg.data.stream import Fixed
from kerasseg.training.devices import share

if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    with share(["CPU:0", "CPU:1"]).scope():
        model = small.model()
    directory = Path(sys.argv[1])
    # oneDNN fails on the empty half of a batch of one, so the validation images are even.
    validation = Fixed(small.samples(directory / "data")[:4], **small.ARGUMENTS)
    history = small.learn(directory, trained=model, validation=validation, epochs=3)
    print(json.dumps(history.rows))
