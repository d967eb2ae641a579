"""What is laid around a model: nothing is asked twice in vain, and memory may run out."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.inference.forward import empty_once, halving


def counting(asked, most=100):
    def answer(batch):
        asked.append(len(batch))
        if len(batch) > most:
            raise MemoryError
        return batch * 2

    return answer


def test_empty_tiles_are_asked_about_once():
    asked = []
    answer = empty_once(counting(asked))
    black, grey = np.zeros((2, 4, 4, 1), np.float32), np.full((1, 4, 4, 1), 0.5, np.float32)
    textured = np.random.default_rng(0).random((1, 4, 4, 1), np.float32)
    for batch in (black, np.concatenate([grey, black[:1]]), textured, grey, black):
        np.testing.assert_array_equal(answer(batch), batch * 2)
    assert asked == [2, 2, 1]


def test_one_pixel_that_differs_is_asked_about():
    asked = []
    answer = empty_once(counting(asked))
    batch = np.zeros((1, 4, 4, 2), np.float32)
    answer(batch)
    batch[0, 3, 3, 1] = 1
    np.testing.assert_array_equal(answer(batch), batch * 2)
    assert asked == [1, 1]


def test_where_memory_runs_out_batches_are_halved_and_stay_so():
    asked = []
    answer = halving(counting(asked, most=3), MemoryError)
    batch = np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1)
    for _ in range(2):
        np.testing.assert_array_equal(answer(batch), batch * 2)
    assert asked == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_one_tile_too_many_is_said():
    with pytest.raises(UserError, match=r"one tile of 1 x 1 x 1: set a smaller predict.tile"):
        halving(counting([], most=0), MemoryError)(np.zeros((2, 1, 1, 1), np.float32))
