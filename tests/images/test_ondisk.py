"""An array on the disk is an array, and memory holds little of it."""

import resource
from pathlib import Path

import numpy as np
import pytest

from kerasseg.images import ondisk


def test_it_reads_and_writes_as_an_array_does(tmp_path):
    array = ondisk.create(tmp_path / "a.npy", np.dtype(np.int32), (4, 3))
    assert (array.shape, array.dtype, array.ndim, array.nbytes, len(array)) == ((4, 3), np.int32, 2, 48, 4)
    array[1:3] = [[1, 2, 3], [4, 5, 6]]
    array[0, 1] = 7
    array.flush()
    again = ondisk.opened(tmp_path / "a.npy")
    assert again[:].tolist() == [[0, 7, 0], [1, 2, 3], [4, 5, 6], [0, 0, 0]]
    assert again[..., 1].tolist() == [7, 2, 5, 0]
    assert np.load(tmp_path / "a.npy").tolist() == again[:].tolist()


def test_what_was_read_is_a_copy(tmp_path):
    array = ondisk.create(tmp_path / "a.npy", np.dtype(np.uint8), (2, 2))
    array[:][...] = 9
    assert not array[:].any()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells memory in use on Linux only")
def test_memory_does_not_grow_by_what_was_touched(tmp_path):
    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    array = ondisk.create(tmp_path / "a.npy", np.dtype(np.uint8), (64, 2**20))
    before = resident()
    for row in range(64):
        array[row] = row
    assert all((array[row] == row).all() for row in range(64))
    assert resident() - before < 2**24
