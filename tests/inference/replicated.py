"""A model on two halves of this processor and whole: prints how far answers differ, and where weights lie."""

import json

import keras
import numpy as np
import tensorflow as tf

from kerasseg.inference import forward

DEVICES = ["/device:CPU:0", "/device:CPU:1"]


def model():
    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 1))
    for filters in (4, 2):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(image, x)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    placed, copied = [], forward._copied

    def watched(*how):
        copy = copied(*how)
        placed.append(sorted({weight.value.device[-5:] for weight in copy.weights}))
        return copy

    forward._copied = watched
    alone, shared = forward.compiled(model()), forward.replicated(model(), DEVICES)
    tiles = np.random.default_rng(0).random((5, 16, 24, 1), np.float32)
    differences = [float(np.abs(shared(tiles[:n]) - alone(tiles[:n])).max()) for n in (5, 2, 1)]
    print(json.dumps({"placed": placed, "differences": differences}))
