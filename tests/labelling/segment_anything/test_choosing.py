"""What is kept, and what lies on top."""

import numpy as np
import pytest

from kerasseg.annotations import rle
from kerasseg.labelling.segment_anything import Found, chosen, merged_labels, merged_mask
from kerasseg.labelling.segment_anything.found import box_of, runs


def found(mask, predicted_iou=0.9, stability=0.97):
    rows, columns = np.nonzero(mask)
    segmentation = runs(rows, columns, np.shape(mask))
    box = box_of(rows, columns)
    whole = (0, 0, *np.shape(mask)[::-1])
    return Found(segmentation, np.shape(mask), rows.size, box, predicted_iou, (0.0, 0.0), stability, whole)


LARGE = found([[1, 1, 1, 0], [1, 1, 1, 0]])
SMALL = found([[0, 1, 0, 0], [0, 1, 0, 0]], predicted_iou=0.95, stability=0.99)
DOT = found([[0, 0, 0, 1], [0, 0, 0, 0]], stability=0.96)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, [LARGE, SMALL, DOT]),
        ({"smallest": 2}, [LARGE, SMALL]),
        ({"largest": 0.5}, [SMALL, DOT]),
        ({"largest": 0.75}, [LARGE, SMALL, DOT]),
        ({"stability": 0.97}, [LARGE, SMALL]),
        ({"predicted_iou": 0.91}, [SMALL]),
    ],
)
def test_limits(limits, expected):
    assert chosen([LARGE, SMALL, DOT], **limits) == expected


def test_smaller_ones_lie_on_top():
    assert merged_labels([SMALL, DOT, LARGE], (2, 4)).tolist() == [[1, 2, 1, 3], [1, 2, 1, 0]]
    assert merged_labels([], (1, 2)).dtype == np.int32


def test_the_mask_is_where_any_is():
    mask = merged_mask([SMALL, DOT], (2, 4))
    assert mask.tolist() == [[0, 1, 0, 1], [0, 1, 0, 0]]
    assert mask.dtype == np.uint8


def test_runs_are_those_of_the_mask():
    for seed in range(20):
        mask = np.random.default_rng(seed).random((5, 7)) < 0.5
        assert list(found(mask).segmentation) == rle.encode(mask)
        np.testing.assert_array_equal(found(mask).mask, mask)


def test_a_part_is_placed_in_the_whole():
    placed = LARGE.placed((3, 2), (6, 8))
    whole = np.zeros((6, 8), bool)
    whole[3:5, 2:5] = True
    assert list(placed.segmentation) == rle.encode(whole)
    assert placed.bbox == (2, 3, 2, 1)
    assert placed.point_coords == (2, 3)
    assert placed.crop_box == (2, 3, 4, 2)
    assert placed.box == (2, 3, 4, 4)
