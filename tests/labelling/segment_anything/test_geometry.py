"""Points, crops, boxes and regions, by the original's formulas worked by hand."""

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from kerasseg.labelling.segment_anything.geometry import (
    Crop,
    box_iou,
    crops,
    is_near_edge,
    points_in,
    suppress,
    without_holes,
    without_islands,
    without_small_regions,
)


def test_points_lie_half_a_step_from_the_sides():
    unit = Crop((0, 0, 1, 1), 0)
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    np.testing.assert_allclose(points_in(unit, 2, 1), expected)
    np.testing.assert_allclose(points_in(unit, 32, 1)[0], [1 / 64, 1 / 64])
    assert points_in(unit, 32, 1).shape == (1024, 2)


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
    assert is_near_edge(box, Crop((0, 0, 100, 100), 1), (200, 200)) is near


def test_intersection_over_union_by_hand():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 10, 20, 20], [2, 2, 4, 4]])
    # 50 / 150 for the second, 4 / 100 for the last
    np.testing.assert_allclose(box_iou(boxes[0], boxes), [1, 1 / 3, 0, 0.04])


def test_boxes_without_area_have_nothing_in_common():
    line = np.array([3, 0, 3, 9])
    assert box_iou(line, line[None]).tolist() == [0]


def test_the_best_of_the_same_stays_and_comes_first():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [0, 0, 10, 5]])
    assert suppress(boxes, [0.8, 0.9, 0.95, 0.7], 0.7) == [2, 1, 3]  # 0.9 with the first, 5 / 9 with the last


def test_one_that_was_suppressed_suppresses_nobody():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 14], [0, 0, 10, 19]])  # 10/14, 14/19, but 10/19
    assert suppress(boxes, [3, 2, 1], 0.7) == [0, 2]


def test_of_equals_the_first_stays_and_the_threshold_itself_is_not_above_it():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 5]])
    assert suppress(boxes, [1, 1, 1], 0.5) == [0, 2]
    assert suppress(np.zeros((0, 4)), [], 0.5) == []


@given(
    st.lists(st.tuples(*4 * [st.integers(0, 20)], st.integers(0, 5)), min_size=1, max_size=12),
    st.sampled_from([0.0513217, 0.3517321, 0.7131131]),  # no ratio of these areas, which would be rounded
)
def test_the_same_as_opencv(rows, threshold):
    numbers = np.array(rows)
    sides = numbers[:, 2:4] + 1
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + sides], axis=1)
    rectangles = np.concatenate([numbers[:, :2], sides], axis=1).astype(float)
    judge = cv2.dnn.NMSBoxes(rectangles.tolist(), (numbers[:, 4] + 1.0).tolist(), 0, threshold)
    assert suppress(boxes, numbers[:, 4], threshold) == list(judge)


MASK = np.array(
    [
        [1, 1, 1, 1, 0, 0, 0],
        [1, 0, 1, 1, 0, 0, 1],
        [1, 1, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)


def test_a_hole_of_fewer_pixels_is_filled_and_an_island_removed():
    tidy = without_small_regions(MASK, 3)
    assert tidy[1, 1]
    assert not tidy[:, 6].any()
    assert tidy.sum() == 12


def test_those_of_as_many_pixels_stay():
    assert without_holes(MASK, 1) is MASK
    assert without_islands(MASK, 2) is MASK
    assert without_small_regions(MASK, 2)[1, 6]


def test_of_small_islands_only_the_largest_stays():
    islands = np.array([[1, 0, 1, 1, 0, 1]], bool)
    assert without_islands(islands, 10).tolist() == [[False, False, True, True, False, False]]


def test_parts_that_touch_at_corners_are_one():
    assert without_islands(np.eye(3, dtype=bool), 3).sum() == 3


@pytest.mark.parametrize("mask", [np.ones((3, 3), bool), np.zeros((3, 3), bool)])
def test_nothing_to_do(mask):
    assert without_small_regions(mask, 4).tolist() == mask.tolist()
