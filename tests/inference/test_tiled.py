"""Tiled prediction against whole-image prediction, for every size and blend."""

import itertools
import math
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from specs import tiling

from kerasseg.errors import UserError
from kerasseg.images.padding import PADDINGS
from kerasseg.inference.backends import Backend
from kerasseg.inference.blending import BLENDS, WINDOWS, bands, weights
from kerasseg.inference.forward import forward
from kerasseg.inference.tiled import answers, batches, predict, predicted_bands
from kerasseg.inference.tiling import Tiling

lengths = st.integers(1, 300)


def identity(batch):
    return batch.copy()


@given(
    st.tuples(lengths, lengths),
    st.sampled_from(BLENDS),
    st.integers(16, 80),
    st.integers(0, 6),
    st.sampled_from(list(PADDINGS)),
)
@hypothesis_settings(deadline=None, max_examples=60)
def test_an_identity_comes_back_as_it_was(size, blend, tile, overlap, padding):
    image = np.random.default_rng(0).random((*size, 2), np.float32)
    settings = tiling(tile=tile, overlap=overlap, blend=blend, padding=padding)
    found = predict(image, Backend(identity), settings, stride=4)
    np.testing.assert_allclose(found, image, atol=1e-6)


@given(
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.sampled_from(BLENDS),
    st.integers(0, 15),
    st.sampled_from(list(PADDINGS)),
)
@hypothesis_settings(deadline=None, max_examples=40)
def test_so_it_does_where_a_large_stride_leaves_tiles_more_than_the_overlap(size, blend, overlap, padding):
    image = np.random.default_rng(0).random((*size, 1), np.float32)
    settings = tiling(tile=64, overlap=overlap, blend=blend, padding=padding)
    found = predict(image, Backend(identity), settings, stride=32)
    np.testing.assert_allclose(found, image, atol=1e-6)


@given(st.tuples(*[st.integers(1, 30)] * 3), st.sampled_from(BLENDS), st.sampled_from(list(PADDINGS)))
@hypothesis_settings(deadline=None, max_examples=30)
def test_so_does_a_volume(size, blend, padding):
    volume = np.random.default_rng(0).random((*size, 1), np.float32)
    settings = tiling(tile=(8, 12, 16), overlap=2, blend=blend, padding=padding)
    found = predict(volume, Backend(identity), settings, stride=4)
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
    tiled = predict(image, Backend(answer), tiling(overlap=3, blend="crop"), stride=1)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    blind = predict(image, Backend(answer), tiling(overlap=0, blend="crop"), stride=1)
    assert np.abs(blind - whole).max() > 1e-3


def test_tiles_start_where_strides_fall_on_the_same_pixels():
    image = x = keras.Input((None, None, 1))
    for layer in (keras.layers.MaxPooling2D(4), keras.layers.UpSampling2D(4)):
        x = layer(x)
    answer = forward(keras.Model(image, x))
    pixels = np.random.default_rng(2).random((50, 45, 1), np.float32)
    whole = predict(pixels, Backend(answer), tiling(tile=64, overlap=0), stride=4)
    tiled = predict(pixels, Backend(answer), tiling(tile=18, blend="crop"), stride=4)
    np.testing.assert_array_equal(tiled, whole)


def test_one_graph_serves_all_batches(three_convolutions):
    answer = forward(three_convolutions)
    assert answer(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 8, 8, 2)
    assert answer(np.zeros((1, 16, 4, 1), np.float32)).shape == (1, 16, 4, 2)


def test_all_batches_have_one_shape():
    image = np.zeros((40, 70, 1), np.float32)
    grid = Tiling((40, 70), 16)
    sizes = [(len(tiles), batch.shape) for tiles, batch in batches(image, grid, tiling(batch_size=4))]
    assert {shape for _, shape in sizes} == {(4, 16, 16, 1)}
    assert sum(count for count, _ in sizes) == 3 * 5


@pytest.mark.parametrize("window", WINDOWS)
def test_weights_of_every_pixel_add_up_to_one(window):
    axis = Tiling((50,), 16, 3).axes[0]
    total = np.zeros(50)
    for source, each in zip(axis.sources, weights(axis, WINDOWS[window]), strict=True):
        total[source] += each
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_bands_hand_rows_on_as_soon_as_no_tile_touches_them():
    image = np.zeros((100, 20, 1), np.float32)
    grid = Tiling((100, 20), 20, 2)
    rows = [rows for rows, _ in bands(grid, answers(image, grid, identity, tiling(batch_size=3)))]
    assert (rows[0].start, rows[-1].stop) == (0, 100)
    assert all(before.stop == after.start for before, after in itertools.pairwise(rows))
    assert max(band.stop - band.start for band in rows) <= 20


class InFile:
    """An image that must be read: it can only be sliced, and may be damaged from a row on."""

    def __init__(self, pixels, whole_rows=math.inf):
        self.pixels, self.shape, self.whole_rows = pixels, pixels.shape, whole_rows

    def __getitem__(self, region):
        if region[0].stop > self.whole_rows:
            raise UserError("a.tif: its last rows cannot be read")
        return self.pixels[region].copy()


@pytest.mark.parametrize("blend", BLENDS)
def test_what_is_read_ahead_gives_the_bytes_of_what_is_in_memory(blend):
    image = np.random.default_rng(3).random((120, 90, 2), np.float32)
    settings = tiling(tile=24, overlap=2, blend=blend, batch_size=2)
    in_memory, read = (
        predict(pixels, Backend(lambda b: b), settings, stride=4) for pixels in (image, InFile(image))
    )
    assert read.tobytes() == in_memory.tobytes()


def test_what_cannot_be_read_ahead_is_told_after_the_bands_before_it():
    image = InFile(np.zeros((120, 90, 1), np.float32), whole_rows=60)
    bands = predicted_bands(image, Backend(identity), tiling(tile=24, overlap=2, blend="crop"), stride=4)
    assert next(bands)[0] == slice(0, 22)
    with pytest.raises(UserError, match="its last rows cannot be read"):
        list(bands)


def test_an_unknown_blend_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'hann'"):
        predict(np.zeros((4, 4, 1), np.float32), Backend(identity), tiling(blend="han"), stride=4)


@given(st.tuples(lengths, lengths), st.sampled_from(BLENDS), st.sampled_from(list(PADDINGS)), st.data())
@hypothesis_settings(deadline=None, max_examples=60)
def test_from_any_band_on_it_goes_on_with_the_same_bytes(size, blend, padding, data):
    image = np.random.default_rng(0).random((*size, 1), np.float32)
    settings = tiling(tile=24, blend=blend, padding=padding, batch_size=3)
    predicted = partial(predicted_bands, image, Backend(identity), settings, stride=4)
    unbroken = [(rows, band.copy()) for rows, band in predicted()]
    at = data.draw(st.integers(0, len(unbroken) - 1))
    rest = predicted(first_row=unbroken[at][0].start)
    for (rows, band), (expected_rows, expected) in zip(rest, unbroken[at:], strict=True):
        assert rows == expected_rows
        assert band.tobytes() == expected.tobytes()


def test_going_on_answers_only_the_tiles_that_reach_below():
    asked = []
    count = lambda batch: (asked.append(len(batch)), batch)[1]  # noqa: E731
    image = np.random.default_rng(0).random((100, 20, 1), np.float32)
    starts = Tiling((100, 20), 20, 2).axes[0].starts
    settings = tiling(tile=20, overlap=2, batch_size=1)
    list(predicted_bands(image, Backend(count), settings, stride=1, first_row=starts[3]))
    assert sum(asked) == len(starts) - 2
