"""An array on the disk is an array, and memory holds little of it."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from kerasseg.errors import Blocked
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


def test_a_full_disk_is_said_before_a_pixel_is_written(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(Blocked, match=r"a\.npy: it cannot be written .*; make room on the disk"):
            ondisk.create(tmp_path / "a.npy", np.dtype(np.uint8), (2, 2**16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="blocks are reserved on Linux")
def test_its_place_on_the_disk_is_taken_at_once(tmp_path):
    ondisk.create(tmp_path / "a.npy", np.dtype(np.uint8), (2**20,))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 2**20


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
