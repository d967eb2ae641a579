"""Probabilities to masks and masks of one form to the other, on arrays that can be checked by eye."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images import masks


def test_sigmoid_takes_the_strongest_class_from_the_threshold_on():
    probabilities = np.array([[[0.5, 0.2], [0.4, 0.49], [0.6, 0.9]]], np.float32)
    assert masks.decide(probabilities, 0.5).tolist() == [[1, 0, 2]]
    assert masks.decide(probabilities, 0.7).tolist() == [[0, 0, 2]]


def test_softmax_has_background_first_and_no_threshold():
    probabilities = np.array([[[0.4, 0.35, 0.25], [0.2, 0.3, 0.5]]], np.float32)
    assert masks.decide(probabilities, None).tolist() == [[0, 2]]


def test_classes_that_do_not_exclude_each_other_are_decided_each_for_itself():
    probabilities = np.array([[[0.5, 0.2], [0.4, 0.49], [0.6, 0.9]]], np.float32)
    decided = masks.decide_each(probabilities, 0.5)
    assert (decided.tolist(), decided.dtype) == ([[[1, 0], [0, 0], [1, 1]]], np.uint8)


def test_classes_are_taken_apart_one_by_one():
    ids = np.array([0, 1, 2, 255], np.uint8)
    assert [layer.tolist() for layer in masks.split_classes(ids, 2, False)] == [
        [0, 1, 0, 255],
        [0, 0, 1, 255],
    ]
    each = np.array([[1, 1], [0, 255]], np.uint8)
    assert [layer.tolist() for layer in masks.split_classes(each, 2, True)] == [[1, 0], [1, 255]]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_first_of_the_highest_channels_is_numpy_s(channels):
    probabilities = np.random.default_rng(0).integers(0, 4, (30, 20, channels)).astype(np.float32) / 4
    expected = probabilities.argmax(axis=-1)
    np.testing.assert_array_equal(masks.decide(probabilities, None), expected)
    sure = probabilities.max(axis=-1) >= 0.5
    found = masks.decide(probabilities, 0.5)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.where(sure, expected + 1, 0))


def test_ids_become_channels():
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    assert masks.one_hot(mask, [1, 2]).tolist() == [[[0, 0], [1, 0]], [[0, 1], [255, 255]]]
    assert masks.one_hot(mask, [0, 1, 2]).tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [255, 255, 255]]]


def test_channels_become_ids():
    mask = np.array([[[0, 0], [1, 0]], [[0, 1], [255, 255]]], np.uint8)
    assert masks.merge_classes(mask, ["golgi", "nuclei"]).tolist() == [[0, 1], [2, 255]]
    assert np.array_equal(masks.one_hot(masks.merge_classes(mask, ["golgi", "nuclei"]), [1, 2]), mask)


def test_what_is_of_a_class_is_known_whatever_else_it_may_be():
    assert masks.merge_classes(np.array([[1, 255], [0, 255]], np.uint8), ["golgi", "nuclei"]).tolist() == [
        1,
        255,
    ]


def test_overlapping_classes_are_refused_by_name():
    mask = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
    with pytest.raises(UserError, match=r"^2 pixels .* golgi, pair, .*data\.multilabel"):
        masks.merge_classes(mask, ["golgi", "nuclei", "pair"])
