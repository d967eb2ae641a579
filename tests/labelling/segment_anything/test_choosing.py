"""What is kept, and what lies on top."""

import numpy as np
import pytest

from kerasseg.annotations import rle
from kerasseg.labelling.segment_anything import Found, chosen
from kerasseg.labelling.segment_anything.choosing import larger_first
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


def test_larger_ones_come_first_so_that_smaller_ones_lie_on_top():
    assert larger_first([SMALL, DOT, LARGE]) == [LARGE, SMALL, DOT]


def test_runs_are_those_of_the_mask():
    for seed in range(20):
        mask = np.random.default_rng(seed).random((5, 7)) < 0.5
        assert list(found(mask).segmentation) == rle.encode_labels(mask.astype(int))[1]
        np.testing.assert_array_equal(found(mask).mask, mask)
