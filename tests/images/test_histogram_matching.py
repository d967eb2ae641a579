"""Histograms that are matched, by eye and by scikit-image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.exposure import match_histograms

from kerasseg.errors import UserError
from kerasseg.images import histogram_matching
from kerasseg.images.histogram_matching import Matching


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


def wanted(values, dtype=np.uint8, leave_out=()):
    image = np.array([values], dtype)[..., None]
    return Matching.to(histogram_matching.counts(lambda: [image], leave_out), dtype, leave_out)


def test_a_histogram_of_another_type_gives_its_type():
    image = np.array([[300, 100, 200, 200]], np.uint16)[..., None]
    found = wanted([10, 20, 20, 90]).image(image)
    assert found.dtype == np.uint8
    assert found[0, :, 0].tolist() == [90, 10, 20, 20]
    assert wanted([1000, 2000, 2000, 9000], np.uint16).image(found).tolist() == [
        [[9000], [1000], [2000], [2000]]
    ]


def test_what_a_narrower_type_does_not_hold_becomes_its_highest():
    image = np.array([[300, 100, 7, 9]], np.uint16)[..., None]
    assert wanted([10, 20], leave_out=[300, 7]).image(image)[0, :, 0].tolist() == [255, 20, 7, 10]


def test_a_histogram_is_written_down_and_read_back():
    matching = wanted([3, 3, 7, 200, 0], leave_out=[0])
    assert matching.to_json() == {
        "dtype": "uint8",
        "intensities": ["3 7 200"],
        "counts": ["2 1 1"],
        "leave_out": [0],
    }
    assert Matching.from_json(matching.to_json()) == matching
    empty = wanted([0], leave_out=[0])
    assert Matching.from_json(empty.to_json()) == empty
    assert (empty.image(np.full((2, 2, 1), 9, np.uint8)) == 9).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"dtype": "float32"},
        {"dtype": "many"},
        {"intensities": ["3 7 256"]},
        {"intensities": ["7 3 200"]},
        {"intensities": ["3 7"]},
        {"intensities": ["3 7 x"]},
        {"intensities": []},
        {"counts": ["2 0 1"]},
        {"leave_out": [70_000]},
        {"leave_out": None},
    ],
)
def test_a_histogram_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="the histogram that images are matched to"):
        Matching.from_json(wanted([3, 3, 7, 200]).to_json() | wrong)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2, 1), np.float32), "it holds float32; expected uint8 or uint16"),
        (np.zeros((2, 2, 3), np.uint8), "it has 3 channels, and the histogram .* 1; set data.channels"),
    ],
)
def test_an_image_that_cannot_be_matched_is_refused(image, message):
    with pytest.raises(UserError, match=message):
        wanted([1, 2]).image(image)


def test_counts_move_as_the_pixels_do():
    image, reference = (
        np.random.default_rng(k).integers(0, 90 + 80 * k, (9, 9, 2), np.uint8) for k in (0, 1)
    )
    counts, wanted = (histogram_matching.counts(lambda each=each: [each]) for each in (image, reference))
    table = histogram_matching.table(counts, wanted, image.dtype)
    expected = histogram_matching.counts(lambda: [histogram_matching.matched(image, table)])
    np.testing.assert_array_equal(histogram_matching.moved(counts, table), expected)
