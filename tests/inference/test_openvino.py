"""OpenVINO answers as TensorFlow does, and what a run keeps for it answers without TensorFlow."""

import errno
import json
import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from components import MODELS
from specs import write_run

from kerasseg.annotations.masks import read_mask
from kerasseg.annotations.values import class_ids
from kerasseg.errors import UserError, unwritable
from kerasseg.files import write_json
from kerasseg.images import files
from kerasseg.inference import forward, openvino
from kerasseg.inference.forward import forward as by_tensorflow
from kerasseg.segmenter import Segmenter, load_trained

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")


def compared(model, *shapes):
    rng = np.random.default_rng(1)
    answer, expected = openvino.on_openvino(model), by_tensorflow(model)
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
    package = openvino.imported()
    compiled, compile_model = [], package.compile_model
    monkeypatch.setattr(
        package, "compile_model", lambda *given: compiled.append(given[0]) or compile_model(*given)
    )
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.Conv2D(2, 1, activation="silu")(image)))
    openvino.on_openvino(model)
    assert len(compiled[0].outputs) == 1


@needs_openvino
def test_answers_stay_when_the_next_come():
    image = keras.Input((None, None, 1))
    answer = openvino.on_openvino(keras.Model(image, keras.layers.Activation("relu")(image)))
    first = answer(np.ones((1, 2, 2, 1), np.float32))
    answer(np.zeros((1, 2, 2, 1), np.float32))
    assert first.min() == 1


def test_where_it_is_missing_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[openvino\]'"):
        openvino.on_openvino(keras.Model())


@needs_openvino
def test_openvino_reports_to_nobody():
    code = (
        "import sys; from kerasseg.inference.openvino import imported; imported()\n"
        "print(sys.modules['openvino_telemetry'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


@pytest.fixture
def run(tmp_path):
    """A run of a network that sharpens grey images and decides by a sigmoid, and the run's segmenter."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="silu")(image)
    write_run(tmp_path / "run", keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)))
    return tmp_path / "run"


PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8)


def without_tensorflow(run, image, out):
    """Predict in a process of its own that says which heavy packages it imported, and by what it answered."""
    code = (
        "import sys\nfrom kerasseg.cli import main\n"
        f"sys.argv = ['kerasseg', 'predict', {str(run)!r}, {str(image)!r}, {str(out)!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'albumentations', 'torch', 'sklearn', 'skimage', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@needs_openvino
def test_what_is_kept_answers_without_tensorflow_and_finds_the_same(run, tmp_path, monkeypatch):
    files.write(tmp_path / "a.png", PIXELS[..., None])
    spec, model = load_trained(run)
    facts = openvino.keep(model, spec, run)
    assert facts["largest_difference"] < 1e-5
    write_json(run / "openvino/facts.json", facts | {"seconds": {"tensorflow": 1, "openvino": 1}})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # on machines that have GPUs
    assert without_tensorflow(run, tmp_path / "a.png", tmp_path / "out") == "[]"
    assert json.loads((tmp_path / "out/predictions.json").read_text())["a.mask.png"]["engine"] == "openvino"
    found = read_mask(tmp_path / "out/a.mask.png", class_ids(1))
    np.testing.assert_array_equal(found, Segmenter.load(run, engine="tensorflow").mask(PIXELS))


@needs_openvino
def test_a_run_that_is_asked_keeps_its_network_for_the_next_time(run, monkeypatch, capsys):
    first = Segmenter.load(run, engine="openvino").probabilities(PIXELS)
    assert "kept for the next time" in capsys.readouterr().out
    monkeypatch.setattr(openvino, "converted", None)
    np.testing.assert_array_equal(Segmenter.load(run, engine="openvino").probabilities(PIXELS), first)


@needs_openvino
@pytest.mark.parametrize("name", ["network.bin", "network.xml"])
def test_what_is_damaged_is_made_again(run, name, capsys):
    first = Segmenter.load(run, engine="openvino").probabilities(PIXELS)
    file = run / "openvino" / name
    file.write_bytes(file.read_bytes()[:-9])
    np.testing.assert_array_equal(Segmenter.load(run, engine="openvino").probabilities(PIXELS), first)
    assert capsys.readouterr().out.count("kept for the next time") == 2


@needs_openvino
def test_what_answers_otherwise_is_neither_kept_nor_used(run, monkeypatch):
    monkeypatch.setattr(forward, "TOLERANCE", -1)
    with pytest.raises(UserError, match="answers otherwise than the Keras model"):
        Segmenter.load(run, engine="openvino").probabilities(PIXELS)
    assert not (run / "openvino").exists()


@needs_openvino
def test_where_nothing_can_be_kept_the_answers_are_the_same(run, monkeypatch, capsys):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(openvino, "write", lambda _, path, __: (_ for _ in ()).throw(unwritable(path, full)))
    answer = Segmenter.load(run, engine="openvino").probabilities(PIXELS)
    assert "nothing is kept for the next time" in capsys.readouterr().out
    expected = Segmenter.load(run, engine="tensorflow").probabilities(PIXELS)
    np.testing.assert_allclose(answer, expected, atol=1e-6)
