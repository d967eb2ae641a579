#!/usr/bin/env bash
# TensorFlow 2.21.0 on a CPU with oneDNN (which it switches on by itself on many): in a `tf.function`, a ReLU that
# follows a batch normalisation makes 0 of what is not a number, where it is not a number when called eagerly, or with
# channels that do not fill a vector. The optimiser of graphs ("remapping") makes one operation of the two. So a
# training whose images hold a NaN goes on as if nothing was wrong.
#
# Seen: share of NaN after both, of images that are nothing else, with 4 channels: 1.0 eagerly, 1.0 in a graph; with 8
# channels 1.0, 0.0, and 1.0 in a graph without remapping
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0
cd "$folder"
TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import tensorflow as tf


def normalised(x):
    ones, zeros = tf.ones(x.shape[-1]), tf.zeros(x.shape[-1])
    return tf.nn.relu(tf.compat.v1.nn.fused_batch_norm(x, ones, zeros, is_training=True)[0])


def share_of_nan(channels, function):
    answer = function(tf.fill((2, 4, 4, channels), float("nan")))
    return float(tf.reduce_mean(tf.cast(tf.math.is_nan(answer), tf.float32)))


seen = [share_of_nan(4, normalised), share_of_nan(4, tf.function(normalised))]
seen += [share_of_nan(8, normalised), share_of_nan(8, tf.function(normalised))]
tf.config.optimizer.set_experimental_options({"remapping": False})
seen.append(share_of_nan(8, tf.function(normalised)))
print(seen)
sys.exit(seen != [1.0, 1.0, 1.0, 0.0, 1.0])
PYTHON
