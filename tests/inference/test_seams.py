"""Seams are what tiles do not see of each other."""

import numpy as np
import pytest
from scipy import ndimage
from specs import tiling

from kerasseg.inference.backends import Backend
from kerasseg.inference.seams import measure


def blurred(batch):
    """A model that sees two pixels in each direction."""
    return ndimage.uniform_filter(batch, (1, 5, 5, 1), mode="mirror")


@pytest.fixture
def image():
    return np.random.default_rng(0).random((70, 50, 1), np.float32)


def test_tiles_that_see_enough_have_none(image):
    seams = measure(image, Backend(blurred), tiling(tile=32, overlap=4, blend="crop"), stride=1)
    assert seams.largest < 1e-6
    assert seams.region == (70, 50)


def test_tiles_that_do_not_are_found_out(image):
    blind = measure(image, Backend(blurred), tiling(tile=32, overlap=0, blend="crop"), stride=1)
    assert 0.01 < blind.largest < 1
    assert 0 < blind.mean < blind.largest


def test_one_tile_has_no_seams(image):
    assert measure(image, Backend(blurred), tiling(tile=96, blend="crop"), stride=32) is None


def test_a_large_image_is_looked_at_in_its_middle():
    seams = measure(np.zeros((3000, 20, 1), np.float32), Backend(blurred), tiling(tile=512), stride=32)
    assert seams.region == (1024, 20)


def test_a_volume_s_strides_may_differ_along_its_axes():
    volume = np.random.default_rng(0).random((10, 30, 34, 1), np.float32)
    ball = lambda batch: ndimage.uniform_filter(batch, (1, 3, 3, 3, 1), mode="mirror")  # noqa: E731
    seams = measure(volume, Backend(ball), tiling(tile=16, blend="crop"), stride=(2, 4, 4))
    assert seams.largest < 1e-6
    assert seams.region == (10, 30, 34)
