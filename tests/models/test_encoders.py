"""Encoders by name: what they make of an image, and what they refuse."""

import pytest

from kerasseg.errors import UserError
from kerasseg.models.encoders import encode

ARGUMENTS = {
    "encoder_weights": None,
    "encoder_weights_fallback": "error",
    "freeze_batchnorm": True,
    "base_filters": 4,
    "levels": 5,
    "batchnorm_momentum": 0.99,
    "initializer": "he_uniform",
}


def strides(size, features):
    return [None if feature is None else size // feature.shape[1] for feature in features]


def test_features_halve_from_shallow_to_deep():
    assert strides(64, encode((64, 64, 1), encoder="plain", **ARGUMENTS)[1]) == [1, 2, 4, 8, 16]
    assert strides(16, encode((16, 16, 16, 1), encoder="plain", **ARGUMENTS | {"levels": 3})[1]) == [1, 2, 4]
    for name in "efficientnetb0", "efficientnetlite2":
        features = encode((64, 64, 3), encoder=name, **ARGUMENTS)[1]
        assert strides(64, features) == [None, 2, 4, 8, 16, 32]


def test_an_unknown_encoder_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'efficientnetb0'"):
        encode((None, None, 3), encoder="efficientnet-b0", **ARGUMENTS)


@pytest.mark.parametrize("name", ["efficientnetb0", "efficientnetlite0"])
def test_efficientnets_refuse_volumes(name):
    with pytest.raises(UserError, match="choose encoder 'plain' for volumes"):
        encode((16, 16, 16, 1), encoder=name, **ARGUMENTS)
