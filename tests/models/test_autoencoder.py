"""The autoencoder has the paper's code, and as many parameters as one counts by hand."""

import keras
import numpy as np
import pytest

from kerasseg.models.autoencoder import autoencoder, encoder


@pytest.mark.parametrize(("channels", "parameters"), [(1, 4385), (3, 4963)])
def test_it_has_the_parameters_that_one_counts_by_hand(channels, parameters):
    down = (9 * channels * 16 + 16) + (9 * 16 * 8 + 8) + (9 * 8 * 8 + 8)
    up = (9 * 8 * 8 + 8) + (9 * 8 * 8 + 8) + (9 * 8 * 16 + 16)
    assert down + up + 9 * 16 * channels + channels == parameters
    model = autoencoder((None, None, channels))
    assert model.count_params() == parameters
    assert encoder(model).count_params() == down


def test_a_tile_of_the_papers_size_has_the_papers_code():
    model = autoencoder((128, 128, 1))
    assert encoder(model).output_shape == (None, 16, 16, 8)
    assert model.output_shape == (None, 128, 128, 1)


def test_the_code_is_not_negative_and_the_image_lies_in_the_range_of_images():
    tiles = np.random.default_rng(0).random((2, 16, 24, 2), np.float32)
    model = autoencoder((None, None, 2))
    code, image = np.asarray(encoder(model)(tiles)), np.asarray(model(tiles))
    assert (code.shape, image.shape) == ((2, 2, 3, 8), tiles.shape)
    assert code.min() >= 0
    assert code.max() > 0
    assert 0 <= image.min() < image.max() <= 1


def test_the_encoder_shares_the_weights():
    model = autoencoder((None, None, 1), filters=(2,))
    half = encoder(model)
    model.get_layer("encoder0_conv").set_weights([np.zeros((3, 3, 1, 2)), np.array([0.25, -1])])
    np.testing.assert_array_equal(half(np.ones((1, 2, 2, 1)))[0, 0, 0], [0.25, 0])


def test_a_saved_encoder_loads_without_this_package_s_help(tmp_path):
    half = encoder(autoencoder((None, None, 1)))
    half.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras", safe_mode=True)
    tiles = np.random.default_rng(0).random((1, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(loaded(tiles), half(tiles))


def test_volumes_have_codes_too():
    assert encoder(autoencoder((8, 16, 16, 1))).output_shape == (None, 1, 2, 2, 8)
