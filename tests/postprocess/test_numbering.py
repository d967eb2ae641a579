"""Objects have the class of most of their pixels, whether they come whole or in bands."""

import numpy as np

from kerasseg.postprocess.numbering import object_classes


def test_an_object_is_of_the_class_of_most_of_its_pixels():
    labels = np.array([[1, 1, 1, 0, 2, 2]], np.int32)
    mask = np.array([[2, 0, 2, 1, 1, 1]], np.uint8)
    assert object_classes([(labels, mask)], 2, 2)[1:].tolist() == [2, 1]


def test_bands_count_together_and_the_first_of_as_many_wins():
    labels = np.array([[1, 1, 3], [1, 3, 3], [1, 0, 0]], np.int32)
    mask = np.array([[2, 2, 1], [1, 255, 2], [1, 2, 2]], np.uint8)
    whole = object_classes([(labels, mask)], 3, 2)
    assert whole[[1, 3]].tolist() == [1, 1]
    banded = object_classes(zip(np.split(labels, 3), np.split(mask, 3), strict=True), 3, 2)
    assert banded.tolist() == whole.tolist()


def test_an_empty_mask_has_no_objects():
    assert object_classes([(np.zeros((2, 2), np.int32), np.ones((2, 2), np.uint8))], 0, 1).shape == (1,)
