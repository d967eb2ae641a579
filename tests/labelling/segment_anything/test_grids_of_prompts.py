"""Points and crops, by the original's formulas worked by hand."""

import numpy as np
import pytest

from kerasseg.labelling.segment_anything.grids import Crop, crops, near_edge, point_grid, points_in


def test_points_lie_half_a_step_from_the_sides():
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    np.testing.assert_allclose(point_grid(2), expected)
    np.testing.assert_allclose(point_grid(32)[0], [1 / 64, 1 / 64])
    assert point_grid(32).shape == (1024, 2)


def test_points_are_in_pixels_of_the_crop_and_fewer_in_later_layers():
    crop = Crop((10, 20, 30, 60), 1)
    assert points_in(crop, 4, 2).tolist() == [[5, 10], [15, 10], [5, 30], [15, 30]]
    assert len(points_in(crop, 4, 1)) == 16


def test_no_layers_are_the_whole_image():
    assert crops((1000, 1500), 0, 512 / 1500) == [Crop((0, 0, 1500, 1000), 0)]


def test_crops_of_the_first_layer_overlap_by_the_ratio_of_the_shorter_side():
    # overlap int(512 / 1500 * 1000) = 341; ceil((341 + 1500) / 2) = 921, ceil((341 + 1000) / 2) = 671
    assert [crop.box for crop in crops((1000, 1500), 1, 512 / 1500)[1:]] == [
        (0, 0, 921, 671),
        (0, 330, 921, 1000),
        (580, 0, 1500, 671),
        (580, 330, 1500, 1000),
    ]


def test_each_layer_has_four_times_the_crops_and_half_the_overlap():
    cut = crops((100, 100), 2, 0.2)
    assert [crop.layer for crop in cut] == [0] + 4 * [1] + 16 * [2]
    # overlap int(0.2 * 100 * 2 / 4) = 10; ceil((3 * 10 + 100) / 4) = 33, a step of 23
    assert cut[6].box == (0, 23, 33, 56)
    assert cut[-1].box == (69, 69, 100, 100)


@pytest.mark.parametrize(
    ("box", "near"),
    [
        ((25, 30, 60, 60), False),
        ((25, 30, 81, 60), True),  # x1 81 is 19 from the crop's 100
        ((25, 30, 79, 60), False),  # 21
        ((0, 30, 60, 60), False),  # at a side of the image too
        ((25, 30, 60, 80), True),
    ],
)
def test_objects_near_a_side_of_the_crop_that_is_none_of_the_image(box, near):
    assert near_edge(box, Crop((0, 0, 100, 100), 1), (200, 200)) is near
