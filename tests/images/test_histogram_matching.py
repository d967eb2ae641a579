"""Histograms that are matched, by eye and by scikit-image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.exposure import match_histograms

from kerasseg.images import histogram_matching


def match(image, reference, leave_out=(), bands=1):
    counted = [
        histogram_matching.counts(lambda each=each: np.array_split(each, bands), leave_out)
        for each in (image, reference)
    ]
    table = histogram_matching.table(*counted, image.dtype, leave_out)
    return histogram_matching.matched(image, table)


def test_ranks_become_the_intensities_of_the_same_ranks():
    image, reference = (
        np.array([values], np.uint8)[..., None] for values in ([3, 1, 2, 2], [10, 20, 20, 90])
    )
    assert match(image, reference)[0, :, 0].tolist() == [90, 10, 20, 20]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(st.data())
def test_scikit_image_finds_the_same(dtype, data):
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 9), st.just(2))
    values = st.integers(0, np.iinfo(dtype).max) | st.integers(5, 9)
    image, reference = (data.draw(arrays(dtype, shapes, elements=values)) for _ in range(2))
    found = match(image, reference, bands=data.draw(st.integers(1, 3)))
    assert found.dtype == dtype
    for channel in range(2):  # each by itself, or scikit-image cuts decimals off
        expected = match_histograms(image[..., channel], reference[..., channel])
        np.testing.assert_array_equal(found[..., channel], np.rint(expected))


def test_a_frame_that_is_left_out_stays_and_moves_nothing():
    random = np.random.default_rng(0)
    image, reference = (
        random.normal(mean, 12, (64, 64, 1)).clip(1, 255).astype(np.uint8) for mean in (90, 130)
    )
    framed = np.pad(image, [(20, 20), (20, 20), (0, 0)])
    inside = (slice(20, -20), slice(20, -20))
    found = match(framed, reference, leave_out=[0])
    np.testing.assert_array_equal(found[inside], match(image, reference))
    assert (found[framed == 0] == 0).all()
    assert abs(found[inside].mean() - reference.mean()) < 0.5
    assert match(framed, reference)[inside].mean() > reference.mean() + 5  # as it would without


def test_what_was_not_counted_stays():
    image = np.full((2, 2, 1), 7, np.uint8)
    assert (match(image, image + np.uint8(9), leave_out=[7]) == 7).all()


def test_counts_move_as_the_pixels_do():
    image, reference = (
        np.random.default_rng(k).integers(0, 90 + 80 * k, (9, 9, 2), np.uint8) for k in (0, 1)
    )
    counts, wanted = (histogram_matching.counts(lambda each=each: [each]) for each in (image, reference))
    table = histogram_matching.table(counts, wanted, image.dtype)
    expected = histogram_matching.counts(lambda: [histogram_matching.matched(image, table)])
    np.testing.assert_array_equal(histogram_matching.moved(counts, table), expected)
