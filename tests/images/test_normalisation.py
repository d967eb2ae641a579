import pickle

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.normalisation import NORMALISATIONS, Dtype, Minmax, Percentile
from kerasseg.images.preprocessing import normalise


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_dtype_divides_by_the_types_largest_value(dtype, top):
    image = np.array([[[0], [top]]], dtype)
    assert normalise(image).ravel().tolist() == [0, 1]
    assert normalise(image).dtype == np.float32


def test_minmax_is_per_channel():
    image = np.array([[[2, 100], [4, 300], [3, 200]]], np.uint16)
    assert normalise(image, Minmax())[0].tolist() == [[0, 0], [1, 1], [0.5, 0.5]]


def test_percentile_clips_the_hot_pixel():
    image = np.full((100, 100, 1), 10, np.uint16)
    image[:50], image[0, 0] = 0, 60000
    result = normalise(image, Percentile())
    assert (result[0, 0], result[10, 0], result[99, 0]) == (1, 0, 1)


@pytest.mark.parametrize("method", sorted(NORMALISATIONS))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_constant_images_stay_within_the_range(method, dtype):
    result = normalise(np.ones((4, 5, 2), dtype), NORMALISATIONS[method]())
    assert result.shape == (4, 5, 2)
    assert result.dtype == np.float32
    assert ((result >= 0) & (result <= 1)).all()


@pytest.mark.parametrize("value", [-1, 2, np.nan, np.inf])
def test_floats_outside_the_range_are_refused_by_dtype(value):
    with pytest.raises(UserError, match=r"\[0, 1\]|finite|NaN"):
        normalise(np.array([[[value]]], np.float32))


def test_contrast_is_stretched_from_the_5th_to_the_98th_percentile_of_each_channel():
    channel = np.arange(101, dtype=np.uint16)  # the value is the percentile
    volume = np.stack([channel, 10 * channel], axis=-1).reshape(1, 1, 101, 2)
    ramp = normalise(volume, Percentile(5, 98))[0, 0]
    assert ramp[[0, 5, 98, 100]].tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    np.testing.assert_allclose(ramp[51], [(51 - 5) / 93] * 2, rtol=1e-6)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_volume_is_normalised_as_its_voxels_in_one_row_are(method, dtype):
    volume = np.random.default_rng(0).integers(3, 200, (5, 6, 7, 2)).astype(dtype)
    volume = volume / np.float32(255) if dtype is np.float32 else volume
    result = normalise(volume, method)
    np.testing.assert_array_equal(result.reshape(1, -1, 2), normalise(volume.reshape(1, -1, 2), method))


@pytest.mark.parametrize(("low", "high"), [(98, 5), (5, 5), (-1, 50), (1, 100.5), (np.nan, 50)])
def test_percentiles_that_are_none_or_in_the_wrong_order_are_refused(low, high):
    with pytest.raises(UserError, match=f"low is {low:g} and high is {high:g}; low must be less than high"):
        Percentile(low, high)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
def test_a_normalisation_is_a_value(method):
    there_and_back = pickle.loads(pickle.dumps(method))
    assert {there_and_back} == {method}
    assert method not in {Percentile(), Percentile(5, 97)}
