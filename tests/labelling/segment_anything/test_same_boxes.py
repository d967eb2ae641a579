"""Non-maximum suppression, by hand and by OpenCV's."""

import cv2
import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from kerasseg.labelling.segment_anything.boxes import box_iou, suppress


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
