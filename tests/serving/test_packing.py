"""Numbers as bytes, against NumPy's."""

import numpy as np
import pytest
import tensorflow as tf

from kerasseg.serving.packing import pack, unpack

TILES = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype("<f4")
SIZES = [(4, 5)] * 3


def test_bytes_are_those_in_memory():
    assert list(pack(TILES).numpy()) == [tile.tobytes() for tile in TILES]


def test_tiles_come_back():
    np.testing.assert_array_equal(unpack(pack(TILES), tf.constant(SIZES), 2), TILES)


@pytest.mark.parametrize("wrong", [[(4, 5), (4, 5), (5, 4)], [(4, 6)] * 3])
def test_bytes_that_are_not_as_said_are_refused(wrong):
    with pytest.raises(tf.errors.InvalidArgumentError):
        unpack(pack(TILES), tf.constant(wrong), 2)
