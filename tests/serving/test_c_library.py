"""A SavedModel opened by TensorFlow's C library, with no Python in the process that asks it."""

import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from specs import spec
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kerasseg.images.normalisation import Percentile
from kerasseg.serving.export import export

TENSORFLOW = Path(tf.__file__).parent
LIBRARIES = [TENSORFLOW / "libtensorflow_cc.so.2", TENSORFLOW / "libtensorflow_framework.so.2"]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Compile ``saved_model.c`` with the headers and libraries that TensorFlow's wheel holds."""
    compiler = shutil.which("cc")
    if compiler is None or not all(path.exists() for path in LIBRARIES):
        pytest.skip("no C compiler, or a TensorFlow without its C library")
    built = tmp_path_factory.mktemp("c") / "saved_model"
    source = Path(__file__).with_name("saved_model.c")
    headers = f"-I{TENSORFLOW / 'include'}"
    subprocess.run(
        [compiler, headers, source, "-o", built, *LIBRARIES, f"-Wl,-rpath,{TENSORFLOW}"], check=True
    )
    return built


def test_a_program_in_c_gets_the_same_answer(program, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image))
    version = export(model, tmp_path, spec(normalise=Percentile(5, 98)), name="cells", facts={}).path
    graph = SavedModel.FromString((version / "saved_model.pb").read_bytes()).meta_graphs[0]
    signature = graph.signature_def["serving_default"]
    taken = signature.inputs["image"].name.partition(":")[0]
    given, _, index = signature.outputs["probabilities"].name.partition(":")
    pixels = np.random.default_rng(0).integers(0, 255, (21, 34), np.uint8)
    asked = [program, version, taken, given, index, "21", "34"]
    answer = subprocess.run(asked, input=pixels.tobytes(), capture_output=True, check=True).stdout
    expected = tf.saved_model.load(str(version)).signatures["serving_default"](
        image=tf.constant(pixels[None])
    )
    found = np.frombuffer(answer, np.float32).reshape(expected["probabilities"].shape)
    np.testing.assert_array_equal(found, expected["probabilities"])
