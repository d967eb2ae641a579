"""Pictures show every nucleus by its id, and the rest by its reason."""

import numpy as np
from numpy.testing import assert_array_equal

from kerasseg.nuclei.detection import Outline
from kerasseg.nuclei.drawing import slice_picture, some
from kerasseg.report import pictures


def test_some_of_a_row_are_spread_over_it_with_both_ends():
    assert some(3, 12) == [0, 1, 2]
    assert some(101, 5) == [0, 25, 50, 75, 100]
    assert some(1, 5) == [0]


def square(x, reason=""):
    corners = np.array([(x, 100), (x + 200, 100), (x + 200, 300), (x, 300)], np.float32)
    return Outline(corners, False, 0.9, reason)


def test_a_nucleus_is_amber_and_what_is_none_vermilion():
    image = np.zeros((400, 1600, 1), np.uint8)
    picture = slice_picture(image, [square(100), square(1000, "0.40 diameters across")], ["7", None])
    assert picture.shape == (400, 1600, 3)
    assert_array_equal(picture[150, 100], pictures.PREDICTED)
    assert_array_equal(picture[150, 1000], pictures.INVENTED)


def test_large_slices_are_reduced_and_small_ones_enlarged_a_whole_number_of_times():
    assert slice_picture(np.zeros((800, 3200, 1), np.uint8), [], []).shape == (400, 1600, 3)
    assert slice_picture(np.zeros((100, 300, 1), np.uint8), [], []).shape == (500, 1500, 3)
