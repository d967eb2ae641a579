"""Tiled prediction against whole-image prediction, for every size and blend."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.prediction.forward import forward
from kerasseg.prediction.merge import BLENDS, WINDOWS, bands, weights
from kerasseg.prediction.predict import answers, batches, cut, predict
from kerasseg.prediction.tiling import Tiling

lengths = st.integers(1, 300)


def identity(batch):
    return batch.copy()


@given(st.tuples(lengths, lengths), st.sampled_from(BLENDS), st.integers(16, 80), st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_an_identity_comes_back_as_it_was(size, blend, tile, overlap):
    image = np.random.default_rng(0).random((*size, 2), np.float32)
    found = predict(image, identity, tile=tile, overlap=overlap, blend=blend, multiple_of=4)
    np.testing.assert_allclose(found, image, atol=1e-6)


@given(st.tuples(*[st.integers(1, 30)] * 3), st.sampled_from(BLENDS))
@settings(deadline=None, max_examples=30)
def test_so_does_a_volume(size, blend):
    volume = np.random.default_rng(0).random((*size, 1), np.float32)
    found = predict(volume, identity, tile=(8, 12, 16), overlap=2, blend=blend, multiple_of=4)
    np.testing.assert_allclose(found, volume, atol=1e-6)


@pytest.fixture(scope="module")
def three_convolutions():
    """A model that sees three pixels in each direction."""
    image = x = keras.Input((None, None, 1))
    for filters in (4, 4, 2):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(image, x)


def test_cropped_tiles_that_see_enough_equal_the_whole(three_convolutions):
    image = np.random.default_rng(1).random((101, 67, 1), np.float32)
    answer = forward(three_convolutions)
    whole = answer(image[None])[0]
    tiled = predict(image, answer, tile=32, overlap=3, blend="crop", multiple_of=1)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    blind = predict(image, answer, tile=32, overlap=0, blend="crop", multiple_of=1)
    assert np.abs(blind - whole).max() > 1e-3


def test_tiles_start_where_strides_fall_on_the_same_pixels():
    image = x = keras.Input((None, None, 1))
    for layer in (keras.layers.MaxPooling2D(4), keras.layers.UpSampling2D(4)):
        x = layer(x)
    answer = forward(keras.Model(image, x))
    pixels = np.random.default_rng(2).random((50, 45, 1), np.float32)
    whole = predict(pixels, answer, tile=64, overlap=0, multiple_of=4)
    tiled = predict(pixels, answer, tile=18, overlap=4, blend="crop", multiple_of=4)
    np.testing.assert_array_equal(tiled, whole)


def test_one_graph_serves_all_batches(three_convolutions):
    answer = forward(three_convolutions)
    assert answer(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 8, 8, 2)
    assert answer(np.zeros((1, 16, 4, 1), np.float32)).shape == (1, 16, 4, 2)


def test_all_batches_have_one_shape():
    image = np.zeros((40, 70, 1), np.float32)
    made = [(len(tiles), batch.shape) for tiles, batch in batches(image, Tiling((40, 70), 16), 4)]
    assert {shape for _, shape in made} == {(4, 16, 16, 1)}
    assert sum(count for count, _ in made) == 3 * 5


def test_beyond_the_end_the_image_is_mirrored():
    image = np.arange(3, dtype=np.float32).reshape(1, 3, 1)
    assert cut(image, (slice(0, 1), slice(1, 7)))[0, :, 0].tolist() == [1, 2, 1, 0, 1, 2]
    assert cut(image[:, :1], (slice(0, 2), slice(0, 3)))[..., 0].tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("window", WINDOWS)
def test_weights_of_every_pixel_add_up_to_one(window):
    axis = Tiling((50,), 16, 3).axes[0]
    total = np.zeros(50)
    for source, each in zip(axis.sources, weights(axis, WINDOWS[window]), strict=True):
        total[source] += each
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_bands_hand_rows_on_as_soon_as_no_tile_touches_them():
    image = np.zeros((100, 20, 1), np.float32)
    tiling = Tiling((100, 20), 20, 2)
    rows = [rows for rows, _ in bands(tiling, answers(image, tiling, identity, 3))]
    assert (rows[0].start, rows[-1].stop) == (0, 100)
    assert all(before.stop == after.start for before, after in itertools.pairwise(rows))
    assert max(band.stop - band.start for band in rows) <= 20


def test_an_unknown_blend_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'hann'"):
        predict(np.zeros((4, 4, 1), np.float32), identity, blend="han")
