"""One epoch of the small training shared by two halves of this processor: ``python mirrored.py DIRECTORY``."""

import json
import sys
from pathlib import Path

import small
import tensorflow as tf

from kerasseg.training.devices import Setting

if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    names = ("CPU:0", "CPU:1")
    setting = Setting(names, "halves", "float32", True, False, tf.distribute.MirroredStrategy(names))
    with setting.scope():
        model = small.model()
    history = small.learn(Path(sys.argv[1]), trained=model, epochs=3)
    print(json.dumps(history.rows))
