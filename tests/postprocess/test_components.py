"""Probabilities to mask, mask to labels, on arrays that can be checked by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage import measure

from kerasseg import postprocess
from kerasseg.errors import UserError


def test_sigmoid_takes_the_strongest_class_from_the_threshold_on():
    probabilities = np.array([[[0.5, 0.2], [0.4, 0.49], [0.6, 0.9]]], np.float32)
    assert postprocess.mask(probabilities).tolist() == [[1, 0, 2]]
    assert postprocess.mask(probabilities, threshold=0.7).tolist() == [[0, 0, 2]]


def test_softmax_has_background_first_and_no_threshold():
    probabilities = np.array([[[0.4, 0.35, 0.25], [0.2, 0.3, 0.5]]], np.float32)
    assert postprocess.mask(probabilities, threshold=0.9, activation="softmax").tolist() == [[0, 2]]


def test_classes_that_do_not_exclude_each_other_are_decided_each_for_itself():
    probabilities = np.array([[[0.5, 0.2], [0.4, 0.49], [0.6, 0.9]]], np.float32)
    found = postprocess.mask(probabilities, exclusive=False)
    assert (found.tolist(), found.dtype) == ([[[1, 0], [0, 0], [1, 1]]], np.uint8)
    with pytest.raises(UserError, match="softmax's classes exclude each other"):
        postprocess.mask(probabilities, activation="softmax", exclusive=False)


def test_layers_are_the_classes_one_by_one():
    ids = np.array([0, 1, 2, 255], np.uint8)
    assert [layer.tolist() for layer in postprocess.layers(ids, 2)] == [[0, 1, 0, 255], [0, 0, 1, 255]]
    each = np.array([[1, 1], [0, 255]], np.uint8)
    assert [layer.tolist() for layer in postprocess.layers(each, 2, exclusive=False)] == [[1, 0], [1, 255]]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_first_of_the_highest_channels_is_numpy_s(channels):
    probabilities = np.random.default_rng(0).integers(0, 4, (30, 20, channels)).astype(np.float32) / 4
    expected = probabilities.argmax(axis=-1)
    np.testing.assert_array_equal(postprocess.mask(probabilities, activation="softmax"), expected)
    sure = probabilities.max(axis=-1) >= 0.5
    found = postprocess.mask(probabilities, threshold=0.5)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.where(sure, expected + 1, 0))


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


@pytest.mark.parametrize("arguments", [{"activation": "tanh"}, {}])
def test_what_makes_no_mask_is_refused(arguments):
    channels = 2 if arguments else 255
    with pytest.raises(UserError):
        postprocess.mask(np.zeros((1, 1, channels), np.float32), **arguments)
