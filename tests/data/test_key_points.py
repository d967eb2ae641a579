"""Targets that are made from the image: skeletons, and the points of a pursuit."""

import numpy as np
import pytest

from kerasseg.compact.kernels import gaussian
from kerasseg.data.key_points import TARGETS, with_key_points
from kerasseg.data.sample import Sample
from kerasseg.images import files
from kerasseg.images.normalisation import Minmax
from kerasseg.images.preprocessing import Preprocessing

KERNEL = gaussian(sigma=1.0)


def bar():
    image = np.zeros((9, 15), np.float32)
    image[3:6, 2:13] = 1
    return image


def test_a_bar_is_thinned_to_its_middle():
    points = TARGETS["skeleton"](bar(), points=3, kernel=KERNEL)
    assert points[:, 4:11].sum(axis=0).tolist() == [1] * 7  # one pixel wide
    assert set(np.nonzero(points)[0]) <= {3, 4}  # and near the middle, though it has three rows


def test_a_pursuit_keeps_to_its_budget_and_lies_in_what_is_bright():
    points = TARGETS["pursuit"](bar(), points=4, kernel=KERNEL)
    assert points.sum() == 4
    assert points[3:6, 2:13].sum() == 4
    assert TARGETS["pursuit"](bar(), points=0.02, kernel=KERNEL).sum() == round(0.02 * 135)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_flat_images_have_targets_too(name, level):
    points = TARGETS[name](np.full((7, 8), level, np.float32), points=5, kernel=KERNEL)
    assert points.shape == (7, 8)
    assert points.sum() <= 5


def test_points_are_chosen_in_the_image_as_the_network_sees_it(tmp_path):
    dim = np.rint(20 + 30 * bar()).astype(np.uint16)
    files.write(tmp_path / "dim.tif", dim)
    sample = Sample("dim", tmp_path / "dim.tif", dim.shape, lambda: None)
    annotated = with_key_points(sample, Preprocessing(1, Minmax(), None), "pursuit", 4, KERNEL)
    expected = TARGETS["pursuit"](bar(), points=4, kernel=KERNEL)
    np.testing.assert_array_equal(annotated.annotate().mask, expected)


def test_digits_have_the_known_numbers_of_points(shared_data):
    digits = np.load(shared_data / "mnist_6k" / "mnist_6k.npz")["images"][5000:5200] / np.float32(255)
    counts = {
        name: np.mean([choose(digit, points=39, kernel=KERNEL).sum() for digit in digits])
        for name, choose in TARGETS.items()
    }
    assert counts["skeleton"] == pytest.approx(35.2, abs=1.0)
    assert counts["pursuit"] == pytest.approx(18.5, abs=1.0)
