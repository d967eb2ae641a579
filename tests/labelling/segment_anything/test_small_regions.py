"""Holes and islands on masks that a reader checks by eye."""

import numpy as np
import pytest

from kerasseg.labelling.segment_anything.regions import without_holes, without_islands, without_small_regions

MASK = np.array(
    [
        [1, 1, 1, 1, 0, 0, 0],
        [1, 0, 1, 1, 0, 0, 1],
        [1, 1, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)


def test_a_hole_of_fewer_pixels_is_filled_and_an_island_removed():
    tidy = without_small_regions(MASK, 3)
    assert tidy[1, 1]
    assert not tidy[:, 6].any()
    assert tidy.sum() == 12


def test_those_of_as_many_pixels_stay():
    assert without_holes(MASK, 1) is MASK
    assert without_islands(MASK, 2) is MASK
    assert without_small_regions(MASK, 2)[1, 6]


def test_of_small_islands_only_the_largest_stays():
    islands = np.array([[1, 0, 1, 1, 0, 1]], bool)
    assert without_islands(islands, 10).tolist() == [[False, False, True, True, False, False]]


def test_parts_that_touch_at_corners_are_one():
    assert without_islands(np.eye(3, dtype=bool), 3).sum() == 3


@pytest.mark.parametrize("mask", [np.ones((3, 3), bool), np.zeros((3, 3), bool)])
def test_nothing_to_do(mask):
    assert without_small_regions(mask, 4).tolist() == mask.tolist()
