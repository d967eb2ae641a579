import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.normalise import NORMALISATIONS, normalise


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_dtype_divides_by_the_types_largest_value(dtype, top):
    image = np.array([[[0], [top]]], dtype)
    assert normalise(image).ravel().tolist() == [0, 1]
    assert normalise(image).dtype == np.float32


def test_minmax_is_per_channel():
    image = np.array([[[2, 100], [4, 300], [3, 200]]], np.uint16)
    assert normalise(image, "minmax")[0].tolist() == [[0, 0], [1, 1], [0.5, 0.5]]


def test_percentile_clips_the_hot_pixel():
    image = np.full((100, 100, 1), 10, np.uint16)
    image[:50], image[0, 0] = 0, 60000
    result = normalise(image, "percentile")
    assert (result[0, 0], result[10, 0], result[99, 0]) == (1, 0, 1)


@pytest.mark.parametrize("method", sorted(NORMALISATIONS))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_constant_images_stay_within_the_range(method, dtype):
    result = normalise(np.ones((4, 5, 2), dtype), method)
    assert result.shape == (4, 5, 2)
    assert result.dtype == np.float32
    assert ((result >= 0) & (result <= 1)).all()


@pytest.mark.parametrize("value", [-1, 2, np.nan, np.inf])
def test_floats_outside_the_range_are_refused_by_dtype(value):
    with pytest.raises(UserError, match=r"\[0, 1\]|finite|NaN"):
        normalise(np.array([[[value]]], np.float32))


def test_an_unknown_method_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'percentile'"):
        normalise(np.zeros((1, 1, 1), np.uint8), "percentil")
