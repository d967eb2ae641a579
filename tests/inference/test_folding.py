"""Folded normalisation predicts what Keras' own does."""

import keras
import numpy as np
import pytest
from components import MODELS
from keras import layers

from kerasseg.inference.folding import folded
from kerasseg.inference.forward import forward
from kerasseg.training.keras_speedups import fused


def lived_in(model: keras.Model) -> keras.Model:
    """Give every normalisation statistics and weights of its own."""
    rng = np.random.default_rng(0)
    for layer in normalisations(model):
        layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.weights])
    return model


def normalisations(model: keras.Model) -> list[layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


CONVOLUTIONS = {
    "conv": (2, lambda: layers.Conv2D(4, 3, padding="same", use_bias=False)),
    "biased": (2, lambda: layers.Conv2D(4, 3, bias_initializer="ones")),
    "strided": (2, lambda: layers.Conv2D(4, 3, strides=2, padding="same")),
    "depthwise": (2, lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)),
    "volume": (3, lambda: layers.Conv3D(4, 3, padding="same", use_bias=False)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("plain", [False, True])
def test_it_answers_as_the_model_does(case, plain):
    rank, convolution = CONVOLUTIONS[case]
    image = keras.Input((*[None] * rank, 2))
    normalised = layers.BatchNormalization(center=not plain, scale=not plain)(convolution()(image))
    model = lived_in(keras.Model(image, layers.Activation("relu")(normalised)))
    batch = np.random.default_rng(1).normal(size=(2, *[6] * rank, 2)).astype("float32")
    assert normalisations(folded(model)) == []
    np.testing.assert_allclose(folded(model)(batch), model(batch), atol=1e-5)


def test_a_whole_linknet_keeps_its_probabilities():
    keras.utils.set_random_seed(0)
    model = lived_in(MODELS["linknet"]((None, None, 1), 1, encoder="plain", base_filters=4))
    batch = np.random.default_rng(1).random((1, 64, 64, 1), np.float32)
    assert normalisations(folded(model)) == []
    np.testing.assert_allclose(folded(model)(batch), model(batch, training=False), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("unet", {"encoder": "plain", "base_filters": 2, "levels": 3, "upsampling": "transpose"}),
        ("resnet", {"base_filters": 2, "residual_blocks": 1}),
    ],
)
def test_networks_for_volumes_keep_their_probabilities(name, how):
    keras.utils.set_random_seed(0)
    model = lived_in(MODELS[name]((None, None, None, 1), 2, **how))
    batch = np.random.default_rng(1).random((1, 8, 16, 8, 1), np.float32)
    assert normalisations(folded(model)) == []
    np.testing.assert_allclose(folded(model)(batch), model(batch, training=False), atol=1e-5)


def test_it_folds_after_training_which_calls_the_same_layers_too():
    image = keras.Input((4, 4, 2))
    model = lived_in(keras.Model(image, layers.BatchNormalization()(layers.Conv2D(2, 1)(image))))
    fused(model)
    assert normalisations(folded(model)) == []
    batch = np.random.default_rng(1).random((1, 4, 4, 2), np.float32)
    np.testing.assert_allclose(forward(model)(batch), model(batch), atol=1e-5)


def test_what_others_read_before_it_is_normalised_stays_as_it_is():
    image = keras.Input((4, 4, 2))
    before = layers.Conv2D(2, 1)(image)
    after = layers.BatchNormalization()(before)
    for outputs in ([before, after], layers.Add()([before, after])):
        assert len(normalisations(folded(keras.Model(image, outputs)))) == 1


def test_what_does_not_follow_a_linear_convolution_stays_as_it_is():
    image = keras.Input((4, 4, 2))
    for before in (layers.Conv2D(2, 1, activation="relu"), layers.MaxPooling2D()):
        model = keras.Model(image, layers.BatchNormalization()(before(image)))
        assert len(normalisations(folded(model))) == 1


def test_the_model_goes_on_as_it_was():
    image = keras.Input((4, 4, 2))
    model = lived_in(keras.Model(image, layers.BatchNormalization()(layers.Conv2D(2, 1)(image))))
    before = [np.array(weight) for weight in model.get_weights()]
    folded(model)
    assert len(normalisations(model)) == 1
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
