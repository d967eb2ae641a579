import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import statistics
from kerasseg.images.normalisation import NORMALISATIONS, Dtype
from kerasseg.images.preprocessing import normalise, stretch
from kerasseg.images.statistics import extremes, histogram, percentiles


def bands_of(image, rows=3):
    return lambda: (image[top : top + rows] for top in range(0, len(image), rows))


def space_of(image):
    return tuple(range(image.ndim - 1))


@st.composite
def images(draw):
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    space = draw(st.lists(st.integers(1, 9), min_size=2, max_size=3))
    values = {"elements": st.floats(-1e6, 1e6, width=32)} if dtype is np.float32 else {}
    return draw(arrays.arrays(dtype, (*space, draw(st.integers(1, 3))), **values))


@given(image=images())
def test_percentiles_are_numpys_of_the_whole_image(image):
    exact = np.percentile(image.astype(np.float64), [1.0, 50.0, 99.8, 100.0], axis=space_of(image))
    assert_array_equal(percentiles(bands_of(image), image.dtype, (1.0, 50.0, 99.8, 100.0)), exact)


@pytest.mark.parametrize(("last", "expected"), [(3, {3: 200}), (7, {3: 198, 7: 2})])
def test_what_is_alike_or_only_begins_alike_is_counted_in_full(last, expected):
    image = np.full((1, 100, 1), 3, np.uint16)
    image[0, 99] = last
    (counts,) = histogram(lambda: [image, image])
    assert {value: counts[value] for value in np.flatnonzero(counts)} == expected


@given(image=images())
def test_extremes_are_those_of_the_whole_image(image):
    low, high = extremes(bands_of(image))
    assert_array_equal([low, high], [image.min(axis=space_of(image)), image.max(axis=space_of(image))])


@pytest.mark.parametrize("method", sorted(NORMALISATIONS))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_region_is_normalised_as_the_whole_image_is(method, dtype):
    image = np.random.default_rng(0).integers(3, 200, (20, 30, 2)).astype(dtype)
    image = image / np.float32(255) if dtype is np.float32 else image
    method = NORMALISATIONS[method]()
    found = method.limits(bands_of(image), image.dtype)
    assert_array_equal(stretch(image[5:9, 2:20], found), normalise(image, method)[5:9, 2:20])


def test_nothing_is_read_where_the_type_says_all():
    low, high = Dtype().limits(None, np.dtype(np.uint16))
    assert (low.item(), high.item()) == (0, 65535)


@pytest.mark.parametrize("method", sorted(NORMALISATIONS))
def test_values_that_are_no_numbers_are_refused_wherever_they_lie(method):
    image = np.zeros((9, 4, 1), np.float32)
    image[8, 3] = np.nan
    with pytest.raises(UserError, match="NaN"):
        NORMALISATIONS[method]().limits(bands_of(image), image.dtype)


def test_floats_outside_the_range_are_refused_by_dtype_wherever_they_lie():
    image = np.zeros((9, 4, 1), np.float32)
    image[8, 3] = 7
    with pytest.raises(UserError, match=r"lie in \[0, 7\]; expected \[0, 1\]"):
        Dtype().limits(bands_of(image), image.dtype)


def test_an_image_in_memory_is_cut_into_bands_of_a_few_megabytes():
    image = np.zeros((10, 1 << 20, 2), np.uint8)
    assert [band.shape for band in statistics.bands_of(image)()] == [(2, 1 << 20, 2)] * 5
    assert [band.shape for band in statistics.bands_of(image[:1, :3])()] == [(1, 3, 2)]
