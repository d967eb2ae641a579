"""Mask to labels, on arrays that can be checked by eye."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage import measure

from kerasseg import postprocess


def test_objects_are_numbered_class_by_class_in_the_order_of_their_first_pixels():
    mask = np.array([[1, 1, 0, 2], [0, 0, 2, 2], [1, 255, 0, 0]], np.uint8)
    assert postprocess.labels(mask).tolist() == [[1, 1, 0, 2], [0, 0, 2, 2], [3, 0, 0, 0]]


def test_corners_connect_only_if_asked():
    mask = np.eye(3, dtype=np.uint8)
    assert postprocess.labels(mask).max() == 3
    assert postprocess.labels(mask, diagonal=True).max() == 1


def test_small_objects_go_after_their_holes_are_filled():
    ring = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]], np.uint8)
    filled = [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0]]
    assert postprocess.labels(ring, smallest=9, fill=True).tolist() == filled
    assert postprocess.labels(ring, smallest=9).max() == 0


def test_an_object_within_a_hole_stays():
    labels = np.ones((5, 5), np.int32)
    labels[1:4, 1:4], labels[2, 2] = 0, 2
    filled = postprocess.fill_holes(labels)
    assert filled[2, 2] == 2
    assert (filled == 1).sum() == 24


shapes = st.sampled_from([(7, 9), (9, 1), (4, 5, 3)])
masks = arrays(np.uint8, shapes, elements=st.integers(0, 2))


@given(masks, st.booleans())
def test_objects_are_numbered_as_scikit_image_numbers_them(mask, diagonal):
    expected = measure.label(mask, connectivity=mask.ndim if diagonal else 1)
    for each in (mask, np.asfortranarray(mask), mask[:, ::-1][:, ::-1]):
        labels = postprocess.labels(each, diagonal=diagonal)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, expected)


@given(masks)
def test_a_hole_belongs_to_the_innermost_object_around_it(mask):
    labels = postprocess.labels(mask)
    expected = labels.copy()
    for number in range(1, labels.max() + 1):  # what lies within another comes after it
        expected[ndimage.binary_fill_holes(labels == number) & (labels == 0)] = number
    np.testing.assert_array_equal(postprocess.fill_holes(labels), expected)
