"""Otsu's threshold finds what is bright, and is scored as a run's model is."""

import numpy as np
import otsu_baseline
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.recipe import load

RECIPE = """\
name: tiny
data:
  source: {{volumes: {{root: {root}, mask_type: channels, channels: {{golgi: 0, nuclei: 1}}}}}}
  classes: [golgi, nuclei]
  multilabel: true
  patch: {{size: 16}}
  split: {{train: 0.5, test: 0.5, validation: 0.5}}
model: unet
loss: dice
"""


@pytest.fixture
def recipe(tmp_path):
    """Four volumes alike: a golgi of 2 voxels shines in channel 1, a nucleus of 4 in channel 0."""
    image, mask = np.full((2, 4, 4, 2), 10, np.uint8), np.zeros((2, 4, 4, 2), np.uint8)
    image[0, 0, :2, 1] = mask[0, 0, :2, 0] = 200
    image[1, :2, :2, 0] = mask[1, :2, :2, 1] = 200
    image[1, 3, 3, 0] = 200  # dust
    for folder, array in (("images", image), ("masks", mask)):
        (tmp_path / folder).mkdir()
        for number in range(4):
            tifffile.imwrite(
                tmp_path / folder / f"{number}.ome.tif",
                np.moveaxis(array, -1, 1),
                metadata={"axes": "ZCYX"},
                photometric="minisblack",
            )
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(root=tmp_path))
    return load(tmp_path / "recipe.yaml")


def test_each_class_is_found_in_its_channel_and_dust_beside_it(recipe):
    found = otsu_baseline.baseline(recipe, {"golgi": 1, "nuclei": 0}, smooth=0)
    assert found["golgi"]["dice"] == 1
    assert found["nuclei"]["precision_per_image"] == pytest.approx(4 / 5)
    assert found["nuclei"]["recall_per_image"] == 1


def test_a_gaussian_takes_the_lonely_voxel_away():
    image = np.zeros((1, 9, 12, 1), np.uint8)
    image[0, 2:6, 5:9] = image[0, 7, 1] = 200
    bare, smooth = (otsu_baseline.otsu(image, [0], sigmas)[0, :, :, 0] for sigmas in ([0] * 3, [0, 1, 1]))
    assert (bare[7, 1], smooth[7, 1]) == (1, 0)
    assert smooth[3, 6] == 1


@pytest.mark.parametrize(
    ("channels", "smooth", "told"),
    [
        ({"golgi": 1}, 0, "nuclei: say which channel"),
        ({"golgi": 1, "nuclei": 2}, 0, "channel 2 of 2"),
        ({"golgi": 1, "nuclei": 0}, 0.5, "how large a voxel is"),
    ],
)
def test_mistakes_are_told(recipe, channels, smooth, told):
    with pytest.raises(UserError, match=told):
        otsu_baseline.baseline(recipe, channels, smooth)
