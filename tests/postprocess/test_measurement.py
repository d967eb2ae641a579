"""Objects measured band by band, against scikit-image and SciPy."""

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from kerasseg.postprocess import measurement
from kerasseg.postprocess.measurement import boxes, measure

any_labels = arrays(np.int32, array_shapes(min_dims=2, max_dims=3, max_side=7), elements=st.integers(0, 4))


def in_bands(height, labels, image=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "HIGHEST", height)
        return measure(labels, image)


def test_an_l_of_three_pixels_and_a_dot():
    labels = np.array([[0, 7, 0], [0, 7, 0], [0, 7, 7], [2, 0, 0]], np.int32)
    image = np.arange(12, dtype=np.uint8).reshape(4, 3, 1)
    for height in (1, 2, 4):
        found = in_bands(height, labels, image)
        assert found.ids.tolist() == [2, 7]
        assert found.sizes.tolist() == [1, 4]
        assert found.starts.tolist() == [[3, 0], [0, 1]]
        assert found.stops.tolist() == [[4, 1], [3, 3]]
        assert found.centres.tolist() == [[3, 0], [1.25, 1.25]]
        assert found.convex.tolist() == [1, 4 + 1]
        assert found.sums.tolist() == [[9], [1 + 4 + 7 + 8]]
        assert found.maxima.tolist() == [[9], [8]]


@settings(deadline=None)
@given(any_labels, st.integers(1, 6))
@example(np.zeros((3, 4), np.int32), 2)
def test_bands_measure_the_whole_to_the_last_bit(labels, height):
    image = np.random.default_rng(0).integers(0, 65536, (*labels.shape, 2), np.uint16)
    whole, banded = measure(labels, image), in_bands(height, labels, image)
    for name, values in whole._asdict().items():
        np.testing.assert_array_equal(getattr(banded, name), values, err_msg=name)


@given(any_labels, st.integers(1, 6))
def test_boxes_are_those_of_scipy(labels, height):
    bands = [labels[start : start + height] for start in range(0, len(labels), height)]
    assert boxes(bands, 4) == ndimage.find_objects(labels, max_label=4)


def test_ids_may_lie_far_apart():
    labels = np.array([[2_000_000_000, 0, 5]], np.int64)
    found = measure(labels)
    assert found.ids.tolist() == [5, 2_000_000_000]
    assert found.centres.tolist() == [[0, 2], [0, 0]]


def test_intensities_may_be_negative_and_fractions():
    image = np.array([[-3.5, -0.25, 7.0]], np.float32)[..., None]
    found = measure(np.array([[1, 1, 0]]), image)
    assert found.sums.tolist() == [[-3.75]]
    assert found.maxima.tolist() == [[-0.25]]


def test_squares_that_wrap_around_64_bits_leave_the_moments_exact():
    """As of a bar two pixels wide and very long, far from the first column."""
    size, x = 2**31, 2**30
    totals = np.array([[size], [0], [size // 2 * (2 * x + 1)], [0], [0], [0]], object)
    totals[5, 0] = size // 2 * (x * x + (x + 1) * (x + 1))
    wrapped = np.array([[(value + 2**63) % 2**64 - 2**63 for value in row] for row in totals], np.int64)
    assert totals[5, 0] > 2**63
    _, centres, covariances = measurement._central(wrapped, 2)
    assert centres.tolist() == [[0, x + 0.5]]
    assert covariances.tolist() == [[[0, 0], [0, 0.25]]]


def test_a_real_field_of_touching_nuclei(shared_data):
    labels = tifffile.imread(shared_data / "nuclei_stardist" / "mask2d.tif")
    whole, banded = measure(labels), in_bands(37, labels)
    for name, values in whole._asdict().items():
        np.testing.assert_array_equal(getattr(banded, name), values, err_msg=name)
