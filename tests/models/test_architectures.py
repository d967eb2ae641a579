"""The two architectures of the Sartorius paper, their sizes, and their growth to volumes."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasseg.models import MODELS, linknet, unet

PAPER_PARAMETERS = {"unet": 10.15e6, "linknet": 6.09e6}
PEER_PARAMETERS = {"unet": 10_115_501, "linknet": 6_096_333}  # segmentation_models 1.0.1, without gates


@pytest.mark.parametrize("name", MODELS)
def test_gates_are_so_thin_that_the_paper_s_size_is_met_within_two_per_cent(name):
    gated = MODELS[name]((None, None, 3), 1, encoder_weights=None)
    assert gated.count_params() == pytest.approx(PAPER_PARAMETERS[name], rel=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_without_gates_the_size_is_segmentation_models_own(name):
    bare = MODELS[name]((None, None, 3), 1, encoder_weights=None, attention=False)
    assert bare.count_params() == PEER_PARAMETERS[name]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(32, 48, 2), (16, 32, 16, 1)])
def test_one_builder_serves_images_and_volumes(name, shape):
    model = MODELS[name](shape, 2, encoder="plain", base_filters=2)
    probabilities = model(np.random.default_rng(0).random((1, *shape), np.float32))
    assert probabilities.shape == (1, *shape[:-1], 2)
    assert np.min(probabilities) >= 0
    assert np.max(probabilities) <= 1


def test_softmax_probabilities_add_up_to_one():
    model = unet((16, 16, 1), 3, encoder="plain", base_filters=2, activation="softmax")
    probabilities = np.asarray(model(np.ones((1, 16, 16, 1), np.float32)))
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)


def test_batchnorm_momentum_reaches_encoder_and_decoder():
    model = linknet((None, None, 3), 1, encoder_weights=None, batchnorm_momentum=0.9)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) > 40
    assert {layer.momentum for layer in layers} == {0.9}


def test_a_saved_model_answers_alike_where_neither_we_nor_efficientnet_are_imported(tmp_path):
    model = linknet((None, None, 3), 1, encoder_weights=None)
    model.save(tmp_path / "model.keras")
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    np.save(tmp_path / "image.npy", image)
    script = (
        "import sys; sys.modules['kerasseg'] = sys.modules['efficientnet'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "np.save('answer.npy', model(np.load('image.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), model(image), atol=1e-6)


def test_probabilities_stay_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = linknet((32, 32, 1), 1, encoder="plain", base_filters=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.output.dtype == "float32"
    assert model.get_layer("encoder0a_conv").compute_dtype == "float16"
