"""A crop is the very pixels of its window, of one size everywhere."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasseg.errors import Notice
from kerasseg.nuclei.crops import Corner, corner, cut, middle, say_cut
from kerasseg.nuclei.linking import Sighting

IMAGE = np.arange(50 * 60, dtype=np.uint16).reshape(50, 60, 1)


@pytest.mark.parametrize(
    ("centre", "start"),
    [
        ((25, 30), (15, 20)),
        ((0, 0), (0, 0)),
        ((49, 59), (30, 40)),
        ((2, 57), (0, 40)),
    ],
)
def test_a_window_is_shifted_into_the_slice(centre, start):
    y, x = corner(centre, (50, 60), 20)
    assert (y, x) == start
    assert_array_equal(cut(IMAGE, Corner(y, x), 20), IMAGE[y : y + 20, x : x + 20])


def test_a_smaller_slice_is_filled_up_right_and_below():
    start = corner((25, 30), (50, 60), 64)
    crop = cut(IMAGE, start, 64)
    assert (start, crop.shape, crop.dtype) == ((0, 0), (64, 64, 1), np.uint16)
    assert_array_equal(crop[:50, :60], IMAGE)
    assert not crop[50:].any()
    assert not crop[:, 60:].any()


def sighting(y, x, major=10.0, angle=0.0):
    return Sighting(0, y, x, major, 8.0, angle, 60.0, False, 0.9)


def test_the_window_lies_amid_all_places_of_a_nucleus():
    assert middle([sighting(10, 10), sighting(11, 14), sighting(20, 12)]) == (15, 12)


def test_nuclei_larger_than_their_windows_are_said():
    tracks = {1: [sighting(25, 30)], 2: [sighting(25, 30, major=30.0, angle=90.0)]}
    corners = {1: Corner(15, 20), 2: Corner(15, 20)}
    with pytest.warns(Notice, match="1 of 2 nuclei, such as 2, are not whole.*--crop 32 holds them all"):
        say_cut(tracks, corners, (50, 60), 20)


def test_nuclei_cut_by_the_border_are_whole_in_their_windows(recwarn):
    say_cut({1: [sighting(1, 30)]}, {1: Corner(0, 20)}, (50, 60), 20)
    assert not recwarn
