"""Warm-up requests, read by TensorFlow Serving's own protocol buffers."""

import numpy as np
import pytest
import tensorflow as tf
from specs import spec

from kerasseg.serving import warmup

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def test_every_signature_is_asked_once(tmp_path):
    cells = spec(channels=3, resize=(32, 64), stride=(32, 32))
    warmup.write(tmp_path, "cells", cells)
    records = tf.data.TFRecordDataset(str(tmp_path / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request for record in records
    ]
    asked = {request.model_spec.signature_name: request for request in requests}
    assert {request.model_spec.name for request in requests} == {"cells"}
    found = {name: describe(request) for name, request in asked.items()}
    assert found == {
        "serving_default": {"image": (np.uint8, (1, 32, 64, 3))},
        "uint16": {"image": (np.uint16, (1, 32, 64, 3))},
        "float32": {"image": (np.float32, (1, 32, 64, 3))},
        "tiles": {"tiles": (np.float32, (1, 32, 64, 3))},
        "packed": {"tiles_bytes": (object, (1,)), "size": (np.int32, (1, 2))},
        "encoded": {"image_bytes": (object, (1,))},
        "metadata": {"request": (object, (1,))},
    }
    (tile,) = tf.make_ndarray(asked["packed"].inputs["tiles_bytes"])
    assert len(tile) == 4 * 32 * 64 * 3
    content = tf.make_ndarray(asked["encoded"].inputs["image_bytes"])[0]
    assert tf.io.decode_png(content).shape == (32, 64, 1)


def describe(request):
    values = {argument: tf.make_ndarray(tensor) for argument, tensor in request.inputs.items()}
    return {argument: (value.dtype, value.shape) for argument, value in values.items()}


@pytest.mark.parametrize("length", [0, 127, 128, 300_000])
def test_lengths_of_any_size_are_written(length):
    content = prediction_log_pb2.PredictionLog.FromString(
        warmup._prediction_log("n", "s", {"a" * length: b""})
    )
    assert list(content.predict_log.request.inputs) == ["a" * length]
