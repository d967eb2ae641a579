"""Engines answer alike."""

import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from components import MODELS

from kerasseg.errors import UserError
from kerasseg.inference import backends
from kerasseg.inference.forward import forward

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")


def compared(model, *shapes):
    rng = np.random.default_rng(1)
    answer, expected = backends.engine("openvino")(model), forward(model)
    for shape in shapes:
        batch = rng.random(shape, np.float32)
        found = answer(batch)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected(batch), atol=1e-5)


@needs_openvino
def test_a_linknet_with_gates_answers_alike_for_batches_of_any_shape():
    keras.utils.set_random_seed(0)
    model = MODELS["linknet"]((None, None, 2), 3, encoder="plain", base_filters=4, activation="softmax")
    compared(model, (2, 64, 32, 2), (1, 32, 96, 2), (2, 64, 32, 2))


@needs_openvino
def test_a_volume_is_answered_alike():
    keras.utils.set_random_seed(0)
    volume = keras.Input((None, None, None, 1))
    x = keras.layers.Conv3D(2, 3, padding="same", activation="silu")(volume)
    x = keras.layers.UpSampling3D()(keras.layers.MaxPooling3D()(x))
    x = keras.layers.GroupNormalization(-1)(keras.layers.MaxPooling3D()(x))
    x = keras.layers.Conv3DTranspose(2, 3, strides=2, padding="same")(x)
    model = keras.Model(volume, keras.layers.Conv3D(1, 1, activation="sigmoid")(x))
    compared(model, (2, 4, 8, 6, 1), (1, 2, 4, 8, 1))


@needs_openvino
def test_what_silu_keeps_for_its_gradient_is_not_computed(monkeypatch):
    openvino = backends._openvino()
    compiled, compile_model = [], openvino.compile_model
    monkeypatch.setattr(
        openvino, "compile_model", lambda *given: compiled.append(given[0]) or compile_model(*given)
    )
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.Conv2D(2, 1, activation="silu")(image)))
    backends.engine("openvino")(model)
    assert len(compiled[0].outputs) == 1


@needs_openvino
def test_answers_stay_when_the_next_come():
    image = keras.Input((None, None, 1))
    answer = backends.engine("openvino")(keras.Model(image, keras.layers.Activation("relu")(image)))
    first = answer(np.ones((1, 2, 2, 1), np.float32))
    answer(np.zeros((1, 2, 2, 1), np.float32))
    assert first.min() == 1


def test_where_it_is_missing_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[openvino\]'"):
        backends.engine("openvino")(keras.Model())


def test_an_engine_that_is_none_is_told_from_those_there_are():
    with pytest.raises(UserError, match=r"--engine: unknown engine 'openvin'.*did you mean 'openvino'"):
        backends.engine("openvin")


@needs_openvino
def test_openvino_reports_to_nobody():
    code = (
        "import sys; from kerasseg.inference.backends import _openvino; _openvino()\n"
        "print(sys.modules['openvino_telemetry'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
