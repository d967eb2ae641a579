import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images.writing.pyramid import SHRINKS, Halved, levels

PLANE = np.array(
    [
        [1, 3, 5, 7, 9],
        [5, 7, 9, 11, 3],
        [4, 4, 8, 8, 6],
    ],
    np.float32,
)


def test_a_mean_is_taken_of_four_pixels_and_of_fewer_at_the_end():
    assert Halved(PLANE, SHRINKS["area"])[:].tolist() == [[4, 8, 6], [4, 8, 6]]


def test_the_nearest_is_one_of_the_four():
    assert Halved(PLANE, SHRINKS["nearest"])[:].tolist() == [[7, 11, 3], [4, 8, 6]]


@pytest.mark.parametrize("shape", [(1025, 700), (1, 2000), (1024, 513)])
@pytest.mark.parametrize(
    ("shrink", "dtype"),
    [("nearest", np.uint8), ("nearest", np.int32), ("area", np.uint8), ("area", np.float32)],
)
def test_levels_are_the_same_by_bands_as_whole(shrink, shape, dtype):
    plane = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    for level in levels(plane, shrink):
        bands = [level[top : top + 96] for top in range(0, level.shape[0], 96)]
        assert_array_equal(np.concatenate(bands), level[:])
        assert (level[:].shape, level[:].dtype) == (level.shape, dtype)


def test_levels_halve_until_they_fit_a_tile():
    assert [level.shape for level in levels(np.zeros((1025, 700), np.uint8), "nearest")] == [
        (1025, 700),
        (513, 350),
        (257, 175),
    ]
    assert len(levels(np.zeros((512, 30), np.uint8), "nearest")) == 1


def test_an_unknown_way_is_answered_with_those_known():
    with pytest.raises(UserError, match="area, nearest"):
        levels(PLANE, "nearst")
