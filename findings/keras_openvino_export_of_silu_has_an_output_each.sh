#!/usr/bin/env bash
# Keras 3.15.1 with TensorFlow 2.21.0 and OpenVINO 2026.4.1: `model.export("m.xml", format="openvino")` of a model with
# the activation silu (swish), such as every EfficientNet, writes one output more for each silu: what TensorFlow keeps
# for its gradient. The model has one output; the file computes and gives back all of them, at every call. With relu
# there is one. The first is the right one.
#
# Seen: one convolution with relu: 1 output; three with silu: 4 outputs
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0 openvino==2026.4.1 scipy==1.16.3
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import keras
import numpy as np
import openvino


def outputs(activation, convolutions):
    image = x = keras.Input((8, 8, 1))
    for _ in range(convolutions):
        x = keras.layers.Conv2D(2, 3, activation=activation)(x)
    model = keras.Model(image, x)
    batch = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    expected = model(batch)  # a model that was never called is not exported
    model.export("m.xml", format="openvino", verbose=False)
    answers = openvino.Core().compile_model("m.xml", "CPU")(batch)
    assert len(model.outputs) == 1
    assert np.allclose(answers[0], expected, atol=1e-2)  # OpenVINO computes in bfloat16 where it can
    return len(answers)


seen = outputs("relu", 1), outputs("silu", 3)
print(seen)
sys.exit(seen != (1, 4))
PYTHON
