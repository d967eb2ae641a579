"""A SavedModel that answers for raw images as the package does, where the package is not."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseg import postprocess
from kerasseg.errors import UserError
from kerasseg.prediction.forward import forward
from kerasseg.prediction.predictor import Predictor
from kerasseg.serving.export import export


def small(channels, outputs, activation="sigmoid"):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, channels))
    return keras.Model(image, keras.layers.Conv2D(outputs, 3, padding="same", activation=activation)(image))


ARGUMENTS = {
    "channels": 1,
    "normalise": "dtype",
    "resize": None,
    "classes": ["cell"],
    "activation": "sigmoid",
    "threshold": 0.5,
}

CASES = {
    "plain": {},
    "resized": {"resize": (32, 64)},
    "enlarged": {"resize": (96, 96)},
    "minmax": {"normalise": "minmax"},
    "percentile": {"normalise": "percentile", "channels": 3},
    "softmax": {"activation": "softmax", "classes": ["a", "b"]},
}


@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_the_keras_model_does(case, tmp_path):
    told = ARGUMENTS | CASES[case]
    softmax = told["activation"] == "softmax"
    model = small(told["channels"], len(told["classes"]) + softmax, told["activation"])
    exported = export(model, tmp_path / "1", **told)
    assert exported.largest_difference < 0.01
    image = np.random.default_rng(1).integers(0, 255, (45, 70, told["channels"]), np.uint8)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"](
        image=tf.constant(image[None])
    )
    local = Predictor(
        forward(model), told["channels"], told["normalise"], told["resize"], tile=256, overlap=0, blend="crop"
    )
    np.testing.assert_allclose(served["probabilities"][0], local(image, "image"), atol=0.01)
    mask = postprocess.mask(served["probabilities"][0].numpy(), 0.5, told["activation"])
    np.testing.assert_array_equal(served["mask"][0], mask)


def test_grey_images_may_leave_out_their_channels_and_any_type_has_its_signature(tmp_path):
    export(small(3, 1), tmp_path / "1", **ARGUMENTS | {"channels": 3})
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    grey = np.random.default_rng(1).integers(0, 255, (2, 33, 31), np.uint8)
    answers = [
        signatures["serving_default"](image=tf.constant(grey)),
        signatures["serving_default"](image=tf.constant(np.repeat(grey[..., None], 3, axis=-1))),
        signatures["uint16"](image=tf.constant(grey.astype(np.uint16) * 257)),
        signatures["float32"](image=tf.constant(grey.astype(np.float32) / 255)),
    ]
    for answer in answers:
        assert answer["mask"].dtype == tf.uint8
        np.testing.assert_allclose(answer["probabilities"], answers[0]["probabilities"], atol=1e-5)


def test_it_loads_in_a_process_without_kerasseg(tmp_path):
    export(small(1, 1), tmp_path / "1", **ARGUMENTS)
    script = (
        "import sys; sys.modules['kerasseg'] = None\n"
        "import tensorflow as tf\n"
        f"serve = tf.saved_model.load({str(tmp_path / '1')!r}).signatures['serving_default']\n"
        "answer = serve(image=tf.zeros((1, 17, 9, 1), tf.uint8))\n"
        "print(sorted(serve.structured_outputs), answer['mask'].shape)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['mask', 'probabilities'] (1, 17, 9)"


def test_an_export_never_takes_the_place_of_another_and_leaves_nothing_half_done(tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(UserError, match="exists"):
        export(small(1, 1), tmp_path / "1", **ARGUMENTS)
    with pytest.raises(UserError, match="channels"):
        export(small(2, 1), tmp_path / "2", **ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
