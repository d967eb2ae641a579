"""What is rebuilt from points is compared with the image, with black and with one bit a pixel."""

import numpy as np
import pytest

from kerasseg.commands import rebuilding
from kerasseg.compact.kernels import gaussian, mean, pixel


def test_a_bitmap_rebuilt_by_single_pixels_is_the_bitmap():
    image = (np.random.default_rng(0).random((12, 13)) < 0.3).astype(np.float32)
    rows = rebuilding.score(image, image, pixel())
    assert rows["model"] == rows["bitmap"]
    assert rows["model"]["rmse"] == 0
    assert rows["model"]["share"] == image.mean()
    assert rows["black"]["mse"] == pytest.approx(image.mean())


def test_where_kernels_overlap_the_image_ends_at_one():
    assert rebuilding.rebuilt(np.ones((4, 4)), gaussian()).max() == 1
    assert rebuilding.rebuilt(np.ones((4, 4)), mean(norm="sum")).max() == pytest.approx(16 / 25, abs=1e-3)


def test_small_images_have_no_windows_and_averages_leave_them_out():
    small, large = (np.zeros((side, side), np.float32) for side in (5, 11))
    scores = [rebuilding.score(image, image, pixel()) for image in (small, large)]
    assert "ssim_11" not in scores[0]["model"]
    assert rebuilding.averages(scores)["model"]["ssim_11"] == 1
