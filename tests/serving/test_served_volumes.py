"""A SavedModel of volumes and of classes that may meet in a voxel: exported, described, served and asked."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tifffile
from keras import layers
from specs import spec, tiling

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Minmax
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.inference.server import client
from kerasseg.segmenter import Segmenter
from kerasseg.serving import card, warmup
from kerasseg.serving.export import export

SPEC = spec(classes=("golgi", "nucleus"), channels=2, normalise=Minmax(), multilabel=True, stride=(2, 4, 4))
VOLUME = np.random.default_rng(1).integers(0, 4000, (5, 11, 9, 2), np.uint16)


def small():
    """All that networks for volumes are made of, once; z is halved once, y and x twice."""
    keras.utils.set_random_seed(0)
    volume = keras.Input((None, None, None, 2))
    skip = layers.Activation("relu")(
        layers.GroupNormalization(-1)(layers.Conv3D(2, 3, padding="same")(volume))
    )
    x = layers.Conv3D(4, 3, strides=(1, 2, 2), padding="same")(layers.MaxPooling3D()(skip))
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Conv3DTranspose(2, 2, strides=(2, 4, 4), padding="same")(x)
    return keras.Model(volume, layers.Conv3D(2, 1, activation="sigmoid")(layers.Concatenate()([skip, x])))


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("cells"), SPEC, name="cells", facts={})


@pytest.fixture(scope="module")
def signatures(written):
    return tf.saved_model.load(str(written.path)).signatures


def by_tiles(forward, **tiles):
    tiles = tiling(**{"tile": 32, "overlap": 0, "blend": "crop"} | tiles)
    return Segmenter(replace(SPEC, tiling=tiles), Backend(forward))


def test_what_is_written_answers_as_the_keras_model_does(written):
    assert 0 <= written.largest_difference < 1e-5


def test_volumes_of_any_size_are_answered_at_it(model, signatures):
    for size in ((5, 11, 9), (1, 1, 1), (1, 3, 17)):
        volume = VOLUME[:1, :1, :1] if size == (1, 1, 1) else np.resize(VOLUME, (*size, 2))
        found = signatures["uint16"](image=tf.constant(volume[None]))
        expected = by_tiles(forward(model)).probabilities(volume)
        np.testing.assert_allclose(found["probabilities"][0], expected, atol=1e-5)
        np.testing.assert_array_equal(found["mask"], found["probabilities"].numpy() >= 0.5)
        assert found["mask"].dtype == tf.uint8


def test_volumes_have_the_signatures_that_they_can_have(signatures):
    assert set(signatures) == {"serving_default", "uint16", "float32", "tiles", "packed", "metadata"}


def test_every_signature_is_warmed_up(written):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    records = tf.data.TFRecordDataset(str(written.path / warmup.NAME))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    asked = {log.predict_log.request.model_spec.signature_name: log.predict_log.request for log in logs}
    assert asked.keys() == {"serving_default", "uint16", "float32", "tiles", "packed", "metadata"}
    assert tf.make_ndarray(asked["uint16"].inputs["image"]).shape == (1, 64, 64, 64, 2)
    np.testing.assert_array_equal(tf.make_ndarray(asked["packed"].inputs["size"]), [[64, 64, 64]])
    assert len(tf.make_ndarray(asked["packed"].inputs["tiles_bytes"])[0]) == 4 * 64**3 * 2


def test_a_grey_volume_may_leave_out_its_channels(signatures):
    grey = (VOLUME[..., 0] // 16).astype(np.uint8)
    answers = [
        signatures["serving_default"](image=tf.constant(volume[None]))["probabilities"]
        for volume in (grey, np.stack([grey, grey], axis=-1))
    ]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("scheme", ["grpc", "rest"])
def test_tiles_of_a_volume_are_answered_as_at_home(scheme, model, signatures):
    pytest.importorskip("tensorflow_serving")
    from servers import GrpcServer, Models, RestServer

    models = Models("cells", {3: signatures})
    server = {"grpc": GrpcServer, "rest": RestServer}[scheme](models)
    remote = client.forward(f"{scheme}://127.0.0.1:{server.port}/cells")
    assert remote.spec == SPEC
    tiles = {"tile": (4, 8, 8), "overlap": (1, 2, 2), "blend": "hann", "batch_size": 8}
    at_home = by_tiles(forward(model), **tiles).probabilities(VOLUME)
    np.testing.assert_array_equal(by_tiles(remote, **tiles).probabilities(VOLUME), at_home)

    models.asked.clear()
    three = 3 * 4 * 8 * 8 * 2 * remote.connection.bytes_a_number
    parts = by_tiles(replace(remote, largest_request=three), **tiles).probabilities(VOLUME)
    server.stop()
    np.testing.assert_allclose(parts, at_home, atol=1e-6)  # a smaller batch is added up in another order
    assert {rows for _, _, rows in models.asked} <= {1, 2, 3}


def test_the_card_says_what_volumes_are_asked_by(written):
    text = (written.path / card.NAME).read_text()
    assert "Segments microscopy volumes into golgi, nucleus" in text
    assert "sizes best multiples of 2 x 4 x 4 (depth x height x width)" in text
    assert "`mask` (B, Z, Y, X, 2) uint8, in which a class is 1 from a probability of 0.5 on" in text
    assert "channel 0 is golgi, 1 is nucleus." in text
    assert "there is no signature `encoded`" in text
    assert "| `encoded` |" not in text
    assert "**A pixel's answer may depend on all that is sent with it**" in text


def test_the_card_s_request_is_answered(written, signatures, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_serving")
    from servers import GrpcServer, Models

    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("volume.tif", VOLUME, photometric="minisblack")
    server = GrpcServer(Models("cells", {1: signatures}))
    (code,) = re.findall(r"```python\n(.*?)```", (written.path / card.NAME).read_text(), re.DOTALL)
    said = {}
    exec(code.replace("HOST:8500", f"127.0.0.1:{server.port}"), said)
    server.stop()
    np.testing.assert_array_equal(
        said["mask"], signatures["uint16"](image=tf.constant(VOLUME[None]))["mask"][0]
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stride": (4, 4)}, "need 2 axes in space"),
        ({"resize": (8, 8)}, "leave it out for volumes"),
        ({"activation": "softmax"}, "use sigmoid"),
    ],
)
def test_what_does_not_fit_a_volume_is_refused(wrong, message, model, tmp_path):
    with pytest.raises(UserError, match=message):
        export(model, tmp_path, replace(SPEC, **wrong), name="cells", facts={})
