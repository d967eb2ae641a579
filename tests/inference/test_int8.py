"""A network in int8 answers nearly as in full, and is not taken for one of other weights."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from specs import write_run

from kerasseg.errors import Blocked, UserError
from kerasseg.files import write_json
from kerasseg.inference import int8, openvino
from kerasseg.segmenter import Segmenter, load_trained

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8)


@pytest.fixture
def run(tmp_path):
    """A run of a network that looks for bright places, and for the mean of all channels."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="silu")(image)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Multiply()([x, keras.layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    write_run(tmp_path / "run", keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)))
    return tmp_path / "run"


@pytest.fixture
def kept(run):
    """The same, which keeps its network in int8."""
    pytest.importorskip("openvino", reason="openvino is not installed")
    pytest.importorskip("nncf", reason="nncf is not installed")
    spec, model = load_trained(run)
    openvino.keep(model, spec, run)
    tiles = [np.random.default_rng(n).random((1, 32, 32, 1), np.float32) for n in range(4)]
    network = int8.quantised(run / "openvino/network.xml", tiles)
    int8.keep(network, run, spec.weights, {"tiles": 4})
    return run


def test_answers_are_near_those_in_full_and_not_the_same(kept):
    full = Segmenter.load(kept, engine="openvino").probabilities(PIXELS)
    segmenter = Segmenter.load(kept, engine="int8")
    quantised = segmenter.probabilities(PIXELS)
    assert 0 < np.abs(full - quantised).max() < 0.02
    assert segmenter.settings()["engine"] == "int8"


def test_what_is_kept_says_of_which_weights_it_is_and_how_large(kept):
    facts = openvino.kept(kept / "int8", load_trained(kept)[0].weights)
    assert facts["tiles"] == 4
    assert set(facts["files"]) == {"network.xml", "network.bin"}
    assert facts["bytes"].keys() == {"full", "int8"}
    assert facts["bytes"]["full"] == sum(path.stat().st_size for path in (kept / "openvino").glob("n*"))


def test_what_is_damaged_or_of_other_weights_is_refused(kept):
    weights = load_trained(kept)[0].weights
    with pytest.raises(UserError, match=r"int8: there is no network in int8 of these weights"):
        int8.check(kept, "ab")
    (kept / "int8/network.bin").write_bytes(b"")
    with pytest.raises(Blocked, match=r"int8: it is damaged, or of other weights; make it again"):
        int8.opened(kept, weights)


def test_what_openvino_cannot_read_is_refused(tmp_path):
    pytest.importorskip("openvino", reason="openvino is not installed")
    (tmp_path / "int8").mkdir()
    (tmp_path / "int8/network.xml").write_text("<net/>")
    write_json(tmp_path / "int8/facts.json", openvino.identity(tmp_path / "int8", "ab"))
    with pytest.raises(Blocked, match="this version of OpenVINO cannot read it"):
        int8.opened(tmp_path, "ab")


def test_a_run_without_one_says_how_it_is_made_before_an_image_is_read(run):
    with pytest.raises(UserError, match=r"no network in int8 of these weights; kerasseg quantise makes it"):
        Segmenter.load(run, engine="int8")


def test_where_nncf_is_missing_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[int8\]'"):
        int8.imported()


def test_nncf_reports_to_nobody():
    pytest.importorskip("nncf", reason="nncf is not installed")
    code = (  # where pytest is imported NNCF is silent by itself
        "import sys; from kerasseg.inference.int8 import imported; imported()\n"
        "from nncf.telemetry.wrapper import telemetry\n"
        "print(sys.modules['openvino_telemetry'], type(telemetry).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None MagicMock"
