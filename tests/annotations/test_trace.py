import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.shapes import IGNORE_LABEL, Shape
from kerasseg.annotations.trace import label_shapes, mask_shapes, outline, pixels_shape, trace_labels

RING = np.array([[1, 1, 1, 0, 2], [1, 0, 1, 0, 0], [1, 1, 1, 0, 2]], np.int32)
IDS = hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 3))


def test_a_hole_stays_in_a_mask_and_parts_stay_in_a_group():
    ring, *spots = trace_labels(RING, lambda _: "cell", 0)
    assert (ring.shape_type, ring.group_id) == ("mask", None)
    assert [spot.shape_type for spot in spots] == ["polygon", "polygon"]
    assert spots[0].group_id == spots[1].group_id is not None
    assert np.array_equal(draw_labels([ring, *spots], RING.shape), RING)


@settings(deadline=None)
@given(IDS)
def test_at_tolerance_0_labels_come_back_exactly(labels):
    shapes = trace_labels(labels, lambda _: "cell", 0)
    in_order = np.searchsorted(np.unique(np.append(labels, 0)), labels)
    assert np.array_equal(draw_labels(shapes, labels.shape), in_order)


@settings(deadline=None)
@given(IDS)
def test_at_tolerance_0_masks_come_back_exactly(ids):
    mask = np.where(ids == 3, 255, ids).astype(np.uint8)
    assert np.array_equal(draw_mask(outline(mask_shapes(mask, ["a", "b"]), 0), mask.shape, ["a", "b"]), mask)


def test_ignored_pixels_are_shapes_of_their_own():
    (shape,) = outline(mask_shapes(np.full((3, 3), 255, np.uint8), ["cell"]))
    assert shape.label == IGNORE_LABEL


@pytest.mark.parametrize("tolerance", [0.5, 1, 2, 4])
def test_no_outline_moves_further_than_the_tolerance(tolerance):
    y, x = np.mgrid[:80, :100]
    body = np.hypot((x - 50) / 40, (y - 40) / 30) + 0.1 * np.sin(np.arctan2(y - 40, x - 50) * 9) < 1
    shapes = trace_labels(body.astype(np.int32), lambda _: "cell", tolerance)
    drawn = draw_mask(shapes, body.shape, ["cell"]) > 0
    to_border = np.maximum(ndimage.distance_transform_edt(body), ndimage.distance_transform_edt(~body))
    assert to_border[drawn != body].max(initial=0) <= tolerance + 1
    assert len(shapes[0].points) < len(trace_labels(body.astype(np.int32), lambda _: "cell", 0)[0].points)


def test_groups_of_others_are_not_joined():
    mask = np.array([[1, 0, 1]], bool)
    taken = Shape("cell", np.array([[0.0, 0], [1, 0], [1, 1]]), group_id=4)
    _, left, right = outline([taken, Shape("cell", np.array([[0.0, 2], [2, 2]]), "mask", mask=mask)])
    assert left.group_id == right.group_id != taken.group_id


def test_pixels_by_their_places_are_held_as_labels_are():
    labels = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0]], np.int32)
    (expected,) = label_shapes(labels, lambda _: "cell")
    found = pixels_shape(*np.nonzero(labels), "cell")
    assert found.points.tolist() == expected.points.tolist() == [[1, 1], [3, 2]]
    assert found.mask.tolist() == expected.mask.tolist()
