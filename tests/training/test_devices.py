"""What is chosen where there is no GPU, and that several devices train as one."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from kerasseg.errors import Fallback, UserError
from kerasseg.training import devices


@pytest.fixture(autouse=True)
def _policy():
    """Give the other tests back the precision that they expect."""
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture
def _no_gpu():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here")


@pytest.mark.usefixtures("_no_gpu")
def test_a_cpu_gets_float32_onednn_and_no_xla():
    setting = devices.configure()
    assert setting.facts() | {"description": ""} == {
        "devices": ["CPU:0"],
        "description": "",
        "precision": "float32",
        "onednn": True,
        "xla": False,
    }
    assert str(setting).startswith("CPU:0 (")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.usefixtures("_no_gpu")
def test_missing_gpus_are_said_only_where_they_were_asked_for(recwarn):
    devices.configure(devices="auto")
    assert not recwarn.list
    with pytest.warns(Fallback, match="mirrored"):
        assert devices.configure(devices="mirrored").devices == ("CPU:0",)


@pytest.mark.usefixtures("_no_gpu")
def test_half_precision_on_a_cpu_is_obeyed_and_called_slow():
    with pytest.warns(UserWarning, match="slower"):
        devices.configure("mixed_bfloat16")
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_all_mistakes_come_at_once():
    with pytest.raises(UserError) as error:
        devices.configure("float23", "miror")
    assert len(error.value.messages) == 2
    assert "did you mean 'float32'" in str(error.value)


@pytest.mark.parametrize("engine", ["supervised", "adversarial", "cycle"])
def test_two_devices_train_as_one(engine, tmp_path):
    program = Path(__file__).with_name("mirrored.py")
    command = [sys.executable, program, engine, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert 0.0 < rows[-1]["val_dice"] <= 1.0


def test_graphs_are_left_as_traced_while_a_step_is_taken_and_no_longer():
    normalise = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.ReLU()])
    nothing = tf.fill((2, 4, 4, 8), float("nan"))
    with devices.graphs_as_traced():
        answer = tf.function(lambda x: normalise(x, training=True))(nothing)
    assert tf.reduce_all(tf.math.is_nan(answer))
    options = tf.config.optimizer.get_experimental_options()
    assert options.get("remapping", True)
    assert not options.get("disable_meta_optimizer")
