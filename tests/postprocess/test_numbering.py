"""Runs of labels, and the classes of objects, on arrays that can be checked by eye."""

import numpy as np

from kerasseg.postprocess.numbering import find_runs, object_classes


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


def test_a_run_ends_with_its_row():
    found = find_runs(np.array([[0, 3, 3], [3, 0, 5]], np.int32))
    assert found.objects.tolist() == [3, 3, 5]
    assert found.starts.tolist() == [1, 3, 5]
    assert found.lengths.tolist() == [2, 1, 1]


def test_background_has_none():
    assert find_runs(np.zeros((2, 3), np.int32)).starts.size == 0
    assert find_runs(np.zeros((0, 3), np.int32)).starts.size == 0
