"""Masks of every rank and kind come back as they were given, and other programs can read them."""

import numpy as np
import pytest
import tifffile

from kerasseg.inference import mask_files


@pytest.mark.parametrize("shape", [(20, 31), (5, 20, 31)])
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("name", ["a", "a.b"])
def test_masks_come_back(tmp_path, shape, exclusive, name):
    mask = np.random.default_rng(0).integers(0, 2, shape if exclusive else (*shape, 3), np.uint8)
    mask_files.write(tmp_path / name, mask, ["a", "b", "c"], exclusive=exclusive)
    np.testing.assert_array_equal(mask_files.read(tmp_path / name, exclusive=exclusive), mask)
    suffix = "png" if exclusive and len(shape) == 2 else "ome.tif"
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.mask.{suffix}"]


def test_a_volume_s_file_tells_voxels_and_classes(tmp_path):
    mask = np.zeros((4, 20, 30, 2), np.uint8)
    mask_files.write(tmp_path / "v", mask, ["nuclei", "golgi"], exclusive=False, spacing=(1.5, 0.25, 0.5))
    with tifffile.TiffFile(tmp_path / "v.mask.ome.tif") as file:
        assert file.series[0].axes == "ZCYX"
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [pixels[f"PhysicalSize{axis}"] for axis in "ZYX"] == [1.5, 0.25, 0.5]
    assert [channel["Name"] for channel in pixels["Channel"]] == ["nuclei", "golgi"]
