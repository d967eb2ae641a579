"""Tiles that a server answers, against tiles that the Keras model answers."""

import base64
import json
import os
import socket
import sys
import threading
import urllib.request
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from specs import spec, tiling

from kerasseg.commands.build import model_spec
from kerasseg.commands.export import export as export_run
from kerasseg.commands.predict import predict
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalisation import Percentile
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.inference.server import client
from kerasseg.recipe import load
from kerasseg.segmenter import Segmenter
from kerasseg.serving.export import export

pytest.importorskip("tensorflow_serving")
from servers import TOO_MANY, GrpcServer, Models, RestServer

SPEC = spec(
    classes=("cell", "dust"),
    channels=2,
    normalise=Percentile(5, 98),
    resize=(48, 64),
    threshold=0.4,
    stride=(32, 32),
)
SERVERS = {"grpc": GrpcServer, "rest": RestServer}
OF_TILES = ("tiles", "packed")
TILES = np.random.default_rng(0).random((5, 32, 32, 2), np.float32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid")(x))


@pytest.fixture(scope="module")
def signatures(model, tmp_path_factory):
    version = export(model, tmp_path_factory.mktemp("cells"), SPEC, name="cells", facts={}).path
    return tf.saved_model.load(str(version)).signatures


@pytest.fixture
def models(signatures):
    return Models("cells", {3: signatures})


@pytest.fixture(params=SERVERS)
def scheme(request):
    return request.param


@pytest.fixture
def server(scheme, models):
    server = SERVERS[scheme](models)
    yield server
    server.stop()


@pytest.fixture
def url(scheme, server):
    return f"{scheme}://127.0.0.1:{server.port}/cells"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("kerasseg.inference.server.failures.FIRST_WAIT", 0.01)


def test_tiles_are_answered_as_the_model_does(url, model):
    answer = client.forward(url)(TILES)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, model(TILES), atol=1e-6)


def test_the_verb_writes_the_masks_that_the_model_itself_would(url, model, tmp_path):
    image = np.random.default_rng(1).integers(0, 4000, (100, 90, 2), np.uint16)
    files.write(tmp_path / "a.tif", image)
    remote = Segmenter.connect(url)
    for name, who in {"remote": remote, "local": replace(remote, backend=Backend(forward(model)))}.items():
        predict(who, tmp_path / "a.tif", tmp_path / name, tile=64, overlap=4)
    masks = [files.read_values(tmp_path / name / "a.mask.png") for name in ("remote", "local")]
    np.testing.assert_array_equal(*masks)
    assert masks[0].any()


def test_both_ways_give_the_same_numbers(models):
    servers = {scheme: make(models) for scheme, make in SERVERS.items()}
    answers = [
        client.forward(f"{scheme}://127.0.0.1:{server.port}/cells")(TILES[:, :, ::2])
        for scheme, server in servers.items()
    ]
    np.testing.assert_array_equal(*answers)
    for server in servers.values():
        server.stop()


def test_the_server_says_what_the_model_takes(url):
    remote = client.forward(url)
    assert remote.spec == SPEC
    assert str(remote.address) == f"{url}:3"


def test_whole_images_are_answered_as_at_home(url, model):
    remote = client.forward(url)
    served = Segmenter(replace(remote.spec, tiling=tiling(tile=64)), Backend(remote))
    image = np.random.default_rng(1).integers(0, 60000, (70, 91, 2), np.uint16)
    at_home = replace(served, backend=Backend(forward(model))).probabilities(image)
    np.testing.assert_allclose(served.probabilities(image), at_home, atol=1e-6)


def test_requests_stay_under_the_limit(url, models):
    remote = client.forward(url)
    limit = 2 * TILES[0].size * remote.connection.bytes_a_number
    np.testing.assert_array_equal(replace(remote, largest_request=limit)(TILES), remote(TILES))
    assert [rows for signature, _, rows in models.asked if signature in OF_TILES] == [2, 2, 1, 5]


@pytest.mark.parametrize("refusal", TOO_MANY)
def test_what_is_too_much_for_the_server_is_halved(url, models, model, refusal):
    remote = client.forward(url)
    models.most_rows, models.too_many = 2, refusal
    np.testing.assert_allclose(remote(TILES), model(TILES), atol=1e-6)
    models.most_rows = 0.5
    with pytest.raises(UserError, match=rf"one tile is too large.*{refusal.message}"):
        remote(TILES)


def test_a_busy_server_is_asked_again(url, models, model):
    models.failures += ["UNAVAILABLE"] * 2
    remote = client.forward(url)
    models.failures += ["UNAVAILABLE"] * 3
    np.testing.assert_allclose(remote(TILES), model(TILES), atol=1e-6)


def test_a_server_that_goes_away_midway_is_waited_for(url, scheme, server, models, model):
    remote = client.forward(url)
    first = remote(TILES[:2])
    server.stop()
    back = []
    threading.Timer(0.3, lambda: back.append(SERVERS[scheme](models, server.port))).start()
    rest = remote(TILES[2:])
    np.testing.assert_allclose(np.concatenate([first, rest]), model(TILES), atol=1e-6)
    back[0].stop()


def test_a_server_that_stays_away_is_named_with_what_to_do(url, server):
    remote = client.forward(url, patience=0.1)
    server.stop()
    with pytest.raises(UserError, match=rf"{url}:3: the server does not answer; check that it runs"):
        remote(TILES)


def test_a_server_that_never_was_is_named_soon(scheme):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}/cells"
        with pytest.raises(UserError, match="the server does not answer"):
            client.forward(url, patience=0.1)


def test_a_server_that_says_nothing_is_given_up(scheme):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/cells"
        with pytest.raises(UserError, match="the server does not answer"):
            client.forward(url, deadline=0.2, patience=0.1)


@pytest.mark.parametrize("other", ["dust", "cells:7"])
def test_models_and_versions_that_are_not_there(url, other):
    with pytest.raises(UserError, match="no such model or version"):
        client.forward(url.removesuffix("cells") + other)


def test_all_tiles_go_to_the_version_that_answered_first(url, models, signatures):
    remote = client.forward(url)
    models.versions[4] = signatures
    remote(TILES)
    assert [version for signature, version, _ in models.asked if signature in OF_TILES] == [3]
    del models.versions[3]
    with pytest.raises(UserError, match="no such model or version"):
        remote(TILES)


def test_a_model_that_is_not_ours_is_refused(url, models, signatures):
    models.versions[4] = {"serving_default": signatures["serving_default"]}
    with pytest.raises(UserError, match=r"does not say what it takes .*not found.*kerasseg export"):
        client.forward(url)


def test_tiles_of_other_channels_are_refused_before_they_travel(url, models):
    remote = client.forward(url)
    with pytest.raises(UserError, match="takes 2 channels and 2 axes in space, tiles have 3 and 2"):
        remote(np.zeros((1, 32, 32, 3), np.float32))
    with pytest.raises(UserError, match="tiles have 2 and 3"):
        remote(np.zeros((1, 4, 32, 32, 2), np.float32))
    assert models.asked[-1][0] == "metadata"


def test_what_a_server_cannot_do_is_said_in_its_own_words(url, models):
    remote = client.forward(url)
    models.failures.append("INTERNAL")
    with pytest.raises(UserError, match=r"refuses the request .*on purpose"):
        remote(TILES)


def test_without_its_package_grpc_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "kerasseg.inference.server.over_grpc", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[serving\]'"):
        client.forward("grpc://127.0.0.1:1/cells")


def test_a_page_that_is_no_tensorflow_serving_is_refused(monkeypatch, models):
    server = RestServer(models)
    monkeypatch.setattr("servers.json.dumps", lambda _: "<html>")
    with pytest.raises(UserError, match="is it TensorFlow Serving's REST port"):
        client.forward(f"rest://127.0.0.1:{server.port}/cells")
    server.stop()


def test_the_card_s_request_by_rest_is_answered(models, signatures):
    server = RestServer(models)
    content = cv2.imencode(".png", np.full((9, 11), 200, np.uint8))[1].tobytes()
    asked = {"signature_name": "encoded", "instances": [{"b64": base64.b64encode(content).decode()}]}
    page = f"http://127.0.0.1:{server.port}/v1/models/cells:predict"
    with urllib.request.urlopen(page, json.dumps(asked).encode()) as response:
        answer = json.load(response)["outputs"]
    assert np.shape(answer["mask"]) == (1, 9, 11)
    server.stop()


@pytest.mark.skipif("TF_SERVING_ADDRESS" not in os.environ, reason="TF_SERVING_ADDRESS names no server")
def test_a_real_server_answers():
    remote = client.forward(os.environ["TF_SERVING_ADDRESS"])
    told = remote.spec
    tiles = np.zeros((3, 2 * told.stride[0], *told.stride[1:], told.channels), np.float32)
    answer = remote(tiles)
    assert answer.shape == (*tiles.shape[:-1], told.outputs)
    np.testing.assert_allclose(answer, answer[:1].repeat(3, axis=0), atol=1e-5)


def test_served_objects_are_those_of_the_run(scheme, tmp_path):
    keras.utils.set_random_seed(0)
    run = tmp_path / "runs" / "discs" / "1"
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text(DISCS, encoding="utf-8")
    image = keras.Input((None, None, 1))
    bright = keras.layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer="ones")
    model = keras.Model(image, bright(keras.layers.Rescaling(20.0, -10.0)(image)))
    model.save(run / "model.keras")
    (run / "spec.json").write_text(model_spec(load(run / "recipe.yaml"), model).to_json(), encoding="utf-8")
    export_run(run, tmp_path / "discs")
    served = Models("discs", {1: tf.saved_model.load(str(tmp_path / "discs" / "1")).signatures})
    server = SERVERS[scheme](served)

    rows, columns = np.ogrid[:80, :100]
    touching = ((rows - 40) ** 2 + (columns - 35) ** 2 < 18**2) | (
        (rows - 40) ** 2 + (columns - 66) ** 2 < 18**2
    )
    files.write(tmp_path / "a.png", touching.astype(np.uint8) * 255)
    models = {
        "local": Segmenter.load(run),
        "served": Segmenter.connect(f"{scheme}://127.0.0.1:{server.port}/discs"),
    }
    for name, model in models.items():
        predict(model, tmp_path / "a.png", tmp_path / name, what="labels")
    server.stop()
    local, remote = (files.read_values(tmp_path / name / "a.labels.png") for name in models)
    assert local.max() == 2  # the watershed's; components would be one
    np.testing.assert_array_equal(remote, local)
    records = [json.loads((tmp_path / name / "predictions.json").read_text()) for name in models]
    settings = [next(iter(record.values())) for record in records]
    assert settings[0]["predict"] == settings[1]["predict"]
    assert settings[0]["predict"]["tile"] == 64
    assert settings[0]["instances"] == settings[1]["instances"]


DISCS = """
name: discs
data: {source: {images_masks: {root: none}}, classes: [cell], channels: 1, augment: []}
model: {unet: {encoder: plain, base_filters: 2, levels: 1, attention: false}}
instances: {watershed: {distance: 8.0}}
predict: {tile: 64, overlap: auto, blend: crop, padding: reflect}
"""
