"""Runs of labels that can be checked by eye."""

import numpy as np

from kerasseg.postprocess.runs import runs


def test_a_run_ends_with_its_row():
    found = runs(np.array([[0, 3, 3], [3, 0, 5]], np.int32))
    assert found.objects.tolist() == [3, 3, 5]
    assert found.starts.tolist() == [1, 3, 5]
    assert found.lengths.tolist() == [2, 1, 1]


def test_background_has_none():
    assert runs(np.zeros((2, 3), np.int32)).starts.size == 0
    assert runs(np.zeros((0, 3), np.int32)).starts.size == 0
