import numpy as np
import pytest

from kerasseg.data.targets import class_ids, one_hot
from kerasseg.errors import UserError


def test_ids_become_channels():
    masks = np.array([[0, 1], [2, 255]], np.uint8)
    assert one_hot(masks, [1, 2]).tolist() == [[[0, 0], [1, 0]], [[0, 1], [255, 255]]]
    assert one_hot(masks, [0, 1, 2]).tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [255, 255, 255]]]


def test_channels_become_ids():
    mask = np.array([[[0, 0], [1, 0]], [[0, 1], [255, 255]]], np.uint8)
    assert class_ids(mask, ["golgi", "nuclei"], "a").tolist() == [[0, 1], [2, 255]]
    assert np.array_equal(one_hot(class_ids(mask, ["golgi", "nuclei"], "a"), [1, 2]), mask)


def test_what_is_of_a_class_is_known_whatever_else_it_may_be():
    assert class_ids(np.array([[1, 255], [0, 255]], np.uint8), ["golgi", "nuclei"], "a").tolist() == [1, 255]


def test_overlapping_classes_are_refused_by_name():
    mask = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
    with pytest.raises(UserError, match=r"a: 2 pixels .* golgi, pair, .*data\.multilabel"):
        class_ids(mask, ["golgi", "nuclei", "pair"], "a")
