"""Files of other programs answer as the Keras model does, or are not written."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from components import MODELS
from specs import spec

from kerasseg.errors import UserError
from kerasseg.inference import forward, openvino
from kerasseg.inference.backends import on_onnx_runtime
from kerasseg.serving import network
from kerasseg.spec import ModelSpec

WRITERS = {
    "onnx": (network.write_onnx, on_onnx_runtime, ("tf2onnx", "onnxruntime")),
    "xml": (openvino.write, openvino.compiled, ("openvino",)),
}
SPECS = {"image": spec(channels=2, stride=(16, 16)), "volume": spec(stride=(8, 8, 8))}


def model_of(spec):
    keras.utils.set_random_seed(0)
    shape = (*[None] * spec.rank, spec.channels)
    levels = {2: 4, 3: 3}[spec.rank]
    return MODELS["unet"](shape, 1, encoder="plain", base_filters=2, levels=levels)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_answers_as_the_keras_model_does(tmp_path, suffix, kind):
    write, open_again, packages = WRITERS[suffix]
    for package in packages:
        pytest.importorskip(package)
    spec, path = SPECS[kind], tmp_path / f"cells.{suffix}"
    model = model_of(spec)
    assert write(model, path, spec) < 1e-5
    batch = np.random.default_rng(1).random((1, *(32,) * spec.rank, spec.channels), np.float32)
    np.testing.assert_allclose(open_again(path)(batch), model(batch, training=False), atol=1e-5)


def test_an_onnx_file_says_what_it_takes_and_gives(tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    network.write_onnx(model_of(SPECS["image"]), tmp_path / "cells.onnx", SPECS["image"])
    session = onnxruntime.InferenceSession(tmp_path / "cells.onnx")
    assert [tensor.name for tensor in session.get_inputs()] == ["image"]
    assert [tensor.name for tensor in session.get_outputs()] == ["probabilities"]
    facts = session.get_modelmeta().custom_metadata_map[openvino.SPEC]
    assert ModelSpec.from_json(facts) == SPECS["image"]


def test_what_answers_otherwise_is_refused():
    spec = SPECS["image"]
    model = model_of(spec)
    with pytest.raises(UserError, match=r"cells\.onnx: what was converted answers otherwise.*differ by 0\.5"):
        forward.compared(lambda batch: model(batch).numpy() + 0.5, model, spec, "cells.onnx")
    with pytest.raises(UserError, match="differ by nan"):
        forward.compared(lambda batch: model(batch).numpy() * np.nan, model, spec, "cells.onnx")


def test_numbers_that_are_right_in_another_shape_are_refused():
    spec = SPECS["image"]
    model = model_of(spec)
    with pytest.raises(UserError, match="differ by inf"):
        forward.compared(lambda batch: model(batch).numpy()[None], model, spec, "cells.onnx")


def test_a_conversion_that_loses_the_last_step_is_done_again(tmp_path, monkeypatch):
    tf2onnx = pytest.importorskip("tf2onnx")
    convert, spec = tf2onnx.convert.from_function, SPECS["image"]
    calls = []

    def forgetful(*arguments, **options):
        calls.append(None)
        made, more = convert(*arguments, **options)
        if len(calls) == 1:
            made.graph.output[0].type.tensor_type.shape.dim.add()
        return made, more

    monkeypatch.setattr(tf2onnx.convert, "from_function", forgetful)
    assert network.write_onnx(model_of(spec), tmp_path / "cells.onnx", spec) < 1e-5
    assert len(calls) >= 2


def test_what_is_refused_leaves_no_file(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    monkeypatch.setattr(forward, "TOLERANCE", -1)
    with pytest.raises(UserError, match="answers otherwise"):
        network.write_onnx(model_of(SPECS["image"]), tmp_path / "cells.onnx", SPECS["image"])
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_a_model_of_mixed_precision_is_exported_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = model_of(SPECS["image"])
    finally:
        keras.config.set_dtype_policy("float32")
    exact = forward.in_float32(mixed)
    assert {layer.compute_dtype for layer in mixed.layers} == {"bfloat16", "float32"}
    assert {layer.compute_dtype for layer in exact.layers} == {"float32"}
    for one, other in zip(mixed.get_weights(), exact.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert forward.in_float32(exact) is exact


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[onnx\]'"):
        network.write_onnx(model_of(SPECS["image"]), tmp_path / "a.onnx", replace(SPECS["image"]))
