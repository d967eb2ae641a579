"""Synthetic fluorescence: what stains, the microscope, the beam and the detectors each do to what is seen."""

import numpy as np
import pytest

from kerasseg.synthetic import golgi_images
from kerasseg.synthetic.golgi_masks import GOLGI, NUCLEUS, SPACING, Scene, scene


def photographed(seed=0, size=(24, 64, 64), **how):
    """Take a picture of eight pairs."""
    rng = np.random.default_rng(seed)
    there = scene(size, rng, pairs=(8, 8), **how)
    return there, golgi_images.fluorescence(there, rng)


def test_stains_are_bright_in_their_own_channel():
    there, image = photographed()
    ground = ~(there.labels > 0).any(axis=-1)
    for part, other in ((GOLGI, NUCLEUS), (NUCLEUS, GOLGI)):
        own = image[there.labels[..., part] > 0].mean(axis=0)
        assert own[part] > 2 * image[ground].mean(axis=0)[part]
        assert own[other] < own[part]


def test_cells_differ_in_brightness():
    there, image = photographed(1)
    numbers = np.unique(there.labels[..., NUCLEUS])[1:]
    bright = [image[there.labels[..., NUCLEUS] == number, NUCLEUS].mean() for number in numbers]
    assert max(bright) > 1.5 * min(bright)


def test_the_microscope_blurs_along_z_most_and_keeps_light():
    point = np.zeros((31, 31, 31), np.float32)
    point[15, 15, 15] = 1
    blurred = golgi_images._blur(point, golgi_images.FOCUS, (0.25, 0.25, 0.25))
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    spread = [_deviation(blurred, axis) * 0.25 for axis in range(3)]
    assert spread == pytest.approx([golgi_images.FOCUS[0], *[golgi_images.FOCUS[1]] * 2], rel=0.05)


def _deviation(volume, axis):
    profile = np.moveaxis(volume, axis, 0).sum(axis=(1, 2))
    at = np.arange(len(profile))
    return np.sqrt((profile * (at - (profile * at).sum()) ** 2).sum())


def test_depth_and_the_edge_of_the_field_are_darker():
    beam = golgi_images._beam((40, 64, 64), SPACING, np.random.default_rng(0))
    assert beam.max() <= 1
    assert np.allclose(beam[-1] / beam[0], np.exp(-39 * 0.5 / golgi_images.DEPTH))
    assert beam[0].min() / beam[0].max() == pytest.approx(1 - golgi_images.EDGE, rel=0.01)


def test_an_empty_scene_is_dark_and_noisy():
    labels = np.zeros((6, 40, 40, 2), np.uint16)
    image = golgi_images.fluorescence(Scene(labels, np.empty((0, 2, 3))), np.random.default_rng(0))
    assert golgi_images.DARK / 2 < np.median(image) < 4 * golgi_images.DARK
    assert (image.std(axis=(0, 1, 2)) > 1).all()


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 9, 20), (7, 1, 3)])
def test_the_smallest_volumes_are_photographed(size):
    assert photographed(size=size)[1].shape == (*size, 2)
