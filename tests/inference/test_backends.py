"""An engine is found by its name."""

from importlib.util import find_spec

import pytest

from kerasseg.errors import UserError
from kerasseg.files import write_json
from kerasseg.inference import backends, openvino


def test_an_engine_that_is_none_is_told_from_those_there_are(tmp_path):
    with pytest.raises(UserError, match=r"unknown engine 'openvin': .* auto, int8, openvino, tensorflow"):
        backends.chosen("openvin", tmp_path, "ab")


def keep(run, *, weights="ab", tensorflow=1.0, openvino=1.0):
    facts = {"weights": weights, "seconds": {"tensorflow": tensorflow, "openvino": openvino}}
    write_json(run / "openvino" / "facts.json", facts)


@pytest.fixture
def on_a_cpu(monkeypatch):
    """A machine with OpenVINO and without a GPU."""
    monkeypatch.setattr(openvino, "GPUS", ())
    monkeypatch.setattr(openvino, "find_spec", lambda name: name == "openvino" or find_spec(name))


def test_auto_takes_openvino_where_its_network_is_kept_and_was_fast(tmp_path, on_a_cpu):
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"
    keep(tmp_path)
    assert backends.chosen("auto", tmp_path, "ab") == "openvino"
    keep(tmp_path, openvino=2.0)
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"


def test_auto_takes_no_network_of_other_weights(tmp_path, on_a_cpu):
    keep(tmp_path, weights="cd")
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"


def test_auto_takes_tensorflow_where_openvino_is_missing(tmp_path, on_a_cpu, monkeypatch):
    keep(tmp_path)
    monkeypatch.setattr(openvino, "find_spec", lambda name: None)
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"


def test_auto_takes_tensorflow_where_a_gpu_is_and_may_be_used(tmp_path, on_a_cpu, monkeypatch):
    keep(tmp_path)
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(openvino, "GPUS", (tmp_path / "nvidiactl",))
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert backends.chosen("auto", tmp_path, "ab") == "openvino"


def test_facts_that_are_damaged_are_none(tmp_path, on_a_cpu):
    keep(tmp_path)
    (tmp_path / "openvino" / "facts.json").write_text('{"weights": "ab", ')
    assert backends.chosen("auto", tmp_path, "ab") == "tensorflow"
