"""An image at another scale is, whole or by region, what `resize` makes of it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerasseg.images.preprocessing import resize
from kerasseg.inference.scaling import Axis, Resampled, resampled_bands

SIDE = st.integers(1, 40)


def whole(image, size):
    return Resampled(image, size)[tuple(slice(0, side) for side in size)]


def noise(size, channels=2):
    return np.random.default_rng(0).random((*size, channels), np.float32)


def test_a_pixel_of_twice_the_size_is_the_mean_of_two():
    image = np.arange(8, dtype=np.float32)[None, :, None]
    assert whole(image, (1, 4))[0, :, 0].tolist() == [0.5, 2.5, 4.5, 6.5]


def test_half_a_pixel_lies_between_its_neighbours():
    image = np.array([[0, 1]], np.float32)[..., None]
    assert whole(image, (1, 4))[0, :, 0].tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.parametrize("size", [(17, 21), (30, 39), (60, 90), (31, 41), (1, 1)])
def test_the_whole_is_what_training_makes_of_an_image(size):
    image = noise((31, 40))
    np.testing.assert_allclose(whole(image, size), resize(image, size), atol=1e-5)


def test_what_lies_beyond_is_left_out_as_of_an_array():
    resampled = Resampled(noise((9, 9)), (6, 5))
    np.testing.assert_array_equal(resampled[:99, 2:], resampled[0:6, 2:5])


@given(st.data(), st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_a_region_is_what_the_whole_has_there(data, size, new):
    image = noise(size)
    region = []
    for side in new:
        start = data.draw(st.integers(0, side - 1))
        region.append(slice(start, data.draw(st.integers(start + 1, side))))
    np.testing.assert_array_equal(Resampled(image, new)[tuple(region)], whole(image, new)[tuple(region)])


@given(st.data(), st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_bands_put_together_are_the_whole_from_any_row_on(data, seen, size):
    answers = noise(seen)
    first_row = data.draw(st.integers(0, size[0] - 1))
    begin = Axis(seen[0], size[0]).source(slice(first_row, first_row + 1)).start
    begin = data.draw(st.integers(0, begin))
    cuts = sorted({begin, seen[0], *data.draw(st.lists(st.integers(begin, seen[0]), max_size=5))})
    bands = ((slice(*ends), answers[slice(*ends)]) for ends in pairwise(cuts))
    rows, parts = zip(*resampled_bands(bands, seen, size, first_row), strict=True)
    assert [rows[0].start, rows[-1].stop] == [first_row, size[0]]
    expected = whole(answers.transpose(1, 0, 2), size[::-1]).transpose(1, 0, 2)  # columns first, as bands are
    np.testing.assert_array_equal(np.concatenate(parts), expected[first_row:])


@given(arrays(np.float32, st.tuples(SIDE, SIDE, st.just(1)), elements=st.floats(0, 1, width=32)), SIDE, SIDE)
def test_probabilities_stay_between_the_least_and_the_largest(image, height, width):
    made = whole(image, (height, width))
    assert image.min() - 1e-6 <= made.min() <= made.max() <= image.max() + 1e-6
