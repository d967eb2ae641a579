"""Several devices answer as one does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from kerasseg.inference import forward


def test_two_devices_share_a_batch_and_answer_as_one_does():
    script = Path(__file__).with_name("replicated.py")  # devices are split before TensorFlow starts
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["placed"] == [["CPU:0"], ["CPU:1"]]
    assert max(told["differences"]) < 1e-6


@pytest.mark.parametrize(("count", "shared"), [(0, False), (1, False), (2, True)])
def test_all_gpus_are_used_where_there_are_several(monkeypatch, count, shared):
    gpus = [tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU") for number in range(count)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    monkeypatch.setattr("kerasseg.inference.folding.folded", lambda model: model)
    monkeypatch.setattr(forward, "compiled", lambda model: lambda batch: "one")
    monkeypatch.setattr(forward, "replicated", lambda model, devices: lambda batch: devices)
    expected = ["/device:GPU:0", "/device:GPU:1"] if shared else "one"
    monkeypatch.setattr(forward, "halving", lambda answer, _: answer)
    assert forward.forward(None)(None) == expected
