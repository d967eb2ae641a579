"""Convex hulls of many objects at once, against scikit-image."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import regionprops_table

from kerasseg.postprocess.hull import Corners, left_corners
from kerasseg.postprocess.measurement import measure


def test_corners_on_the_left():
    rows = np.arange(5)
    points = Corners(np.zeros(5, int), rows, np.array([3, 1, 1, 2, 2]))
    left = left_corners(points)
    assert left.rows.tolist() == [0, 1, 2, 4]
    assert left.columns.tolist() == [3, 1, 1, 2]


def test_points_come_in_any_order_and_objects_have_their_own_corners():
    points = Corners(np.array([4, 1, 4, 4, 1]), np.array([2, 9, 0, 1, 9]), np.array([0, 5, 0, 0, 2]))
    assert np.transpose(left_corners(points)).tolist() == [[1, 9, 2], [4, 0, 0], [4, 2, 0]]


def test_a_cup_is_filled():
    cup = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]])
    assert measure(cup).convex.tolist() == [9]


@settings(deadline=None)
@given(arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3)))
def test_hulls_are_those_of_scikit_image(labels):
    judge = regionprops_table(labels, properties=("label", "area_convex"))
    found = measure(labels)
    assert found.ids.tolist() == judge["label"].tolist()
    assert found.convex.tolist() == judge["area_convex"].tolist()


def test_a_crescent_whose_last_row_hides_all_others():
    """Every row but two lies right of a line between others, though of its neighbours' none does."""
    rows = np.arange(200)
    columns = np.append((rows[:-1] - 100) ** 2, -(10**6))
    left = left_corners(Corners(np.zeros(200, int), rows, columns))
    assert left.rows.tolist() == [0, 199]
