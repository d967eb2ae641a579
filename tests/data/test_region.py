"""What lies outside a region is ignored, whatever the form of the mask."""

import numpy as np
import pytest

from kerasseg.data.region import within
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.inference import mask_files

REGION = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
LABELS = np.array([[1, 1, 2], [3, 3, 3]], np.int32)


def limited(folder, mask, region=2, name="plate/a"):
    sample = Sample(name, folder / "a.png", mask.shape[:2], lambda: Annotation(mask, LABELS))
    return within(sample, folder, region).annotate()


def test_pixels_of_other_ids_are_ignored(tmp_path):
    files.write(tmp_path / "plate__a.mask.png", REGION)
    mask = np.array([[1, 1, 1], [0, 255, 1]], np.uint8)
    annotation = limited(tmp_path, mask)
    assert annotation.mask.tolist() == [[255, 255, 1], [0, 255, 255]]
    assert annotation.labels is LABELS
    assert mask.tolist() == [[1, 1, 1], [0, 255, 1]]  # as it was


def test_all_classes_are_ignored_where_they_do_not_exclude_each_other(tmp_path):
    files.write(tmp_path / "plate__a.mask.png", REGION)
    mask = np.stack([np.ones((2, 3), np.uint8), np.zeros((2, 3), np.uint8)], axis=-1)
    annotation = limited(tmp_path, mask, region=1)
    assert annotation.mask[..., 0].tolist() == [[255, 1, 255], [255] * 3]
    assert annotation.mask[..., 1].tolist() == [[255, 0, 255], [255] * 3]


def test_a_volume_has_the_mask_that_a_prediction_leaves(tmp_path):
    region = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 2
    mask_files.write(tmp_path / "v", region, ["cell"])
    sample = Sample("v", tmp_path / "v.tif", (2, 3, 4), lambda: Annotation(np.ones((2, 3, 4), np.uint8)))
    expected = np.where(region == 1, 1, 255)
    np.testing.assert_array_equal(within(sample, tmp_path, 1).annotate().mask, expected)


def test_a_mask_that_is_not_there_or_of_another_size_is_told(tmp_path):
    mask = np.zeros((2, 3), np.uint8)
    with pytest.raises(UserError, match=r"a\.png: there is no mask of its region, .*plate__a\.mask\.png"):
        limited(tmp_path, mask)
    files.write(tmp_path / "plate__a.mask.png", REGION.T)
    with pytest.raises(
        UserError, match=r"plate__a\.mask\.png: expected one number for each pixel of .* 2 x 3"
    ):
        limited(tmp_path, mask)
