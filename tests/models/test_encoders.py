"""Encoders: what they see of an image, and that they equal the package they come from."""

import urllib.error

import keras
import numpy as np
import pytest

from kerasseg.errors import Fallback, UserError
from kerasseg.images.preprocessing import normalise
from kerasseg.models import encoders
from kerasseg.models.encoders import IMAGENET_MEAN, IMAGENET_STD, adapt_kernel, encode

ARGUMENTS = {
    "weights": None,
    "weights_fallback": "error",
    "base_filters": 4,
    "levels": 5,
    "momentum": 0.99,
    "initializer": "he_uniform",
}


def strides(size, features):
    return [None if feature is None else size // feature.shape[1] for feature in features]


def test_features_halve_from_shallow_to_deep():
    assert strides(64, encode("plain", (64, 64, 1), **ARGUMENTS)[1]) == [1, 2, 4, 8, 16]
    assert strides(16, encode("plain", (16, 16, 16, 1), **ARGUMENTS | {"levels": 3})[1]) == [1, 2, 4]
    assert strides(64, encode("efficientnetb0", (64, 64, 3), **ARGUMENTS)[1]) == [None, 2, 4, 8, 16, 32]


def test_a_uint8_image_reaches_the_first_convolution_standardised_once():
    image, features = encode("efficientnetb0", (None, None, 3), **ARGUMENTS)
    first = keras.Model(image, features[1]).get_layer("stem_conv").input
    pixels = np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
    seen = np.asarray(keras.Model(image, first)(normalise(pixels)))
    np.testing.assert_allclose(seen[0, 0, 0], -IMAGENET_MEAN / IMAGENET_STD, rtol=1e-5)
    np.testing.assert_allclose(seen[1, 0, 0], (1 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-5)


def test_the_rebuilt_encoder_equals_the_package_s_own():
    source = encoders._package_model("B0", weights=None, input_shape=(None, None, 3))
    image, features = encode("efficientnetb0", (None, None, 3), **ARGUMENTS)
    rebuilt = keras.Model(image, features[-1])
    rebuilt.set_weights(source.get_weights())
    pixels = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    expected = source((pixels - IMAGENET_MEAN) / IMAGENET_STD)
    np.testing.assert_allclose(rebuilt(pixels), expected, atol=1e-4)


def test_an_rgb_kernel_adapted_to_grey_answers_as_the_grey_image_in_three_channels_would():
    kernel = np.random.default_rng(0).random((3, 3, 3, 2))
    np.testing.assert_allclose(adapt_kernel(kernel, 1)[:, :, 0], kernel.sum(axis=2))
    np.testing.assert_allclose(adapt_kernel(kernel, 5).sum(axis=2), kernel.sum(axis=2))
    assert adapt_kernel(kernel, 3) is kernel


def no_network(variant, *, weights, **arguments):
    if weights is None:
        return original(variant, weights=None, **arguments)
    raise Exception("URL fetch failure on https://example.org: None -- Name or service not known")


original = encoders._package_model


def test_weights_that_cannot_be_downloaded_are_an_error_unless_the_recipe_allows_random_ones(monkeypatch):
    monkeypatch.setattr(encoders, "_package_model", no_network)
    arguments = {**ARGUMENTS, "weights": "imagenet"}
    with pytest.raises(UserError, match="encoder_weights_fallback: random"):
        encode("efficientnetb0", (None, None, 3), **arguments)
    with pytest.warns(Fallback, match="RANDOM encoder weights"):
        encode("efficientnetb0", (None, None, 3), **{**arguments, "weights_fallback": "random"})


def test_downloaded_weights_are_loaded_with_the_first_kernel_adapted(monkeypatch):
    pretrained = original("B0", weights=None, input_shape=(None, None, 3))

    def downloaded(variant, *, weights, **arguments):
        return pretrained if weights else original(variant, weights=None, **arguments)

    monkeypatch.setattr(encoders, "_package_model", downloaded)
    image, features = encode("efficientnetb0", (None, None, 1), **{**ARGUMENTS, "weights": "imagenet"})
    model = keras.Model(image, features[-1])
    kernel = pretrained.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_allclose(model.get_layer("stem_conv").get_weights()[0], kernel.sum(2, keepdims=True))
    deep = "block6a_expand_conv"
    np.testing.assert_array_equal(
        model.get_layer(deep).get_weights()[0], pretrained.get_layer(deep).get_weights()[0]
    )


def test_any_other_failure_of_the_package_is_not_hidden(monkeypatch):
    def broken(variant, *, weights, **arguments):
        if weights is None:
            return original(variant, weights=None, **arguments)
        raise urllib.error.HTTPError("https://example.org", 500, "broken", None, None)

    monkeypatch.setattr(encoders, "_package_model", broken)
    with pytest.raises(urllib.error.HTTPError):
        encode("efficientnetb0", (None, None, 3), **{**ARGUMENTS, "weights": "imagenet"})


def test_an_unknown_encoder_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'efficientnetb0'"):
        encode("efficientnet-b0", (None, None, 3), **ARGUMENTS)


def test_efficientnet_refuses_volumes():
    with pytest.raises(UserError, match="choose encoder 'plain' for volumes"):
        encode("efficientnetb0", (16, 16, 16, 1), **ARGUMENTS)
