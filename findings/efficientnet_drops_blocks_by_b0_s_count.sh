#!/usr/bin/env bash
# efficientnet 1.1.1 (qubvel's, of PyPI) with TensorFlow 2.21.0: EfficientNetB7 leaves its last block out of two images
# in three while it trains, where `drop_connect_rate` is 0.2 by default, as in the paper. Rates of stochastic depth grow
# from block to block up to that of the last, but are divided by the 16 blocks of B0, of which B7 has 55. From B1 on all
# are too high. Keras' own EfficientNetB7 divides by its own blocks, and so stays below 0.2.
#
# Seen: highest rate of B0, B4 and B7: 0.175, 0.3875 and 0.675; of Keras' B7: 0.1964
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check efficientnet==1.1.1 keras==3.15.1 tensorflow==2.21.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import efficientnet.tfkeras as efficientnet
import keras


def highest(network):
    model = network(weights=None, include_top=False, input_shape=(None, None, 3))
    return round(max(layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)), 4)


networks = (efficientnet.EfficientNetB0, efficientnet.EfficientNetB4, efficientnet.EfficientNetB7)
seen = *map(highest, networks), highest(keras.applications.EfficientNetB7)
print(seen)
sys.exit(seen != (0.175, 0.3875, 0.675, 0.1964))
PYTHON
