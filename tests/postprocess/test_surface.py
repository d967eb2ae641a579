"""Surfaces of shapes whose surface is known, and perimeters against scikit-image's."""

import math

import numpy as np
import pytest
from skimage.measure import perimeter, perimeter_crofton

from kerasseg.postprocess import surface
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.surface import direction_weights, half_of_directions, perimeters, uneven


def surfaces(labels, spacing):
    return surface.surfaces(measure(labels).borders, spacing)


def ball(radius, spacing):
    sides = [int(2 * radius / size) + 4 for size in spacing]
    places = np.moveaxis(np.indices(sides), 0, -1) * spacing
    centre = (np.array(sides) - 1) / 2 * spacing + 0.2
    return (np.linalg.norm(places - centre, axis=-1) <= radius).astype(np.int32)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 1, 1), (2, 1, 1.5)])
def test_a_ball_has_its_surface_whatever_the_shape_of_a_voxel(spacing):
    assert surfaces(ball(20, spacing), spacing)[0] == pytest.approx(4 * math.pi * 20**2, rel=0.01)


def test_a_disc_has_the_perimeter_that_scikit_image_finds():
    disc = ball(20, (1, 1))
    assert surfaces(disc, (1, 1))[0] == pytest.approx(perimeter_crofton(disc, directions=4))
    assert surfaces(ball(20, (2, 1)), (2, 1))[0] == pytest.approx(2 * math.pi * 20, rel=0.02)


def test_what_touches_and_what_the_border_cuts_has_a_surface_too():
    labels = np.array([[[1, 1, 2, 2]] * 4] * 4, np.int32)
    both = surfaces(labels, (1, 1, 1))
    alone = surfaces(np.pad(np.where(labels == 1, labels, 0), 3), (1, 1, 1))
    assert both.tolist() == [alone[0], alone[0]]


def test_an_outline_is_followed_from_centre_to_centre():
    square = np.ones((4, 4), np.int32)
    assert perimeters(measure(square).borders).tolist() == [12] == [perimeter(square)]


def test_what_has_another_label_near_is_uneven():
    labels = np.zeros((5, 6), np.int32)
    labels[:3, :4] = 1
    assert uneven(labels).astype(int).tolist() == [
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_weights_are_those_of_ohser_and_muecklich():
    weights = dict(zip(half_of_directions(3), direction_weights((1, 1, 1)), strict=True))
    assert weights[0, 0, 1] == pytest.approx(2 * 0.045778, abs=1e-5)
    assert weights[0, 1, 1] == pytest.approx(2 * 0.036981, abs=1e-5)
    assert weights[1, 1, -1] == pytest.approx(2 * 0.035196, abs=1e-5)
    assert direction_weights((1, 1)).tolist() == pytest.approx([0.25] * 4)
