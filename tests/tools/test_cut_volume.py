"""Slabs of a volume put together again are the volume."""

import cut_volume
import h5py
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.stores.volume import Volume


@pytest.fixture
def told(tmp_path):
    """Name an image and its mask, 3 x 7 x 5 voxels in one HDF5 file."""
    path = tmp_path / "cells.h5"
    with h5py.File(path, "w") as file:
        file["raw"] = np.arange(105, dtype=np.uint16).reshape(3, 7, 5)
        file["label"] = np.arange(105, dtype=np.int32).reshape(3, 7, 5) % 4 * 70_000
        file["raw"].attrs["element_size_um"] = (0.5, 0.2, 0.1)
        file["small"] = np.ones((3, 7, 6), np.uint8)
    return [cut_volume.volume(f"{path}:{dataset}", None) for dataset in ("raw", "label", "small")]


def test_slabs_side_by_side_are_the_volume(tmp_path, told):
    image, mask, _ = told
    cut_volume.cut(image, mask, tmp_path / "out", 3)
    for folder, whole in (("images", image.read_values()), ("masks", mask.read_values())):
        slabs = [Volume(tmp_path / "out" / folder / f"cells-{number}.tif") for number in range(3)]
        np.testing.assert_array_equal(np.concatenate([slab.read_values() for slab in slabs], axis=1), whole)
    assert [slab.header().size for slab in slabs] == [(3, 2, 5), (3, 2, 5), (3, 3, 5)]
    assert slabs[0].header().spacing == pytest.approx((0.5, 0.2, 0.1))


def test_mistakes_write_nothing(tmp_path, told):
    image, mask, small = told
    with pytest.raises(UserError, match=r"is \(3, 7, 6\), the image .* is \(3, 7, 5\)"):
        cut_volume.cut(image, small, tmp_path / "out", 3)
    with pytest.raises(UserError, match="expected 1 to 7"):
        cut_volume.cut(image, mask, tmp_path / "out", 8)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already"):
        cut_volume.cut(image, mask, tmp_path / "out", 3)
