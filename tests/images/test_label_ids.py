"""Ids as far apart as they like cost what their pixels cost."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasseg.annotations import trace
from kerasseg.annotations.objects import object_boxes
from kerasseg.images.label_ids import consecutive
from kerasseg.metrics import coco, instance, objects
from kerasseg.postprocess import fill_holes, remove_small

FAR = 2_000_000_000
TWO = np.array([[7, 7, 0, 0], [7, 7, 0, FAR], [0, 0, 0, FAR]], np.int32)
SMALL = 2**20  # bytes


@pytest.mark.parametrize("labels", [[], [0, 0], [5], [5, 6, 5], [0, 9, 7], [3, FAR], [FAR, FAR, 0]])
def test_numbers_lead_back_to_ids_and_stay_small(labels):
    labels = np.array(labels, np.int32)
    ids, numbers = consecutive(labels)
    assert ids[0] == 0
    assert ids[numbers].tolist() == labels.tolist()
    assert len(ids) <= labels.size + 1
    assert (np.diff(ids) > 0).all()


@given(
    hnp.arrays(
        st.sampled_from([np.int32, np.uint16, np.uint64]),
        hnp.array_shapes(max_dims=3, max_side=4),
        elements=st.sampled_from([0, 1, 2, 9, 60_000]),
    )
)
def test_it_does_so_for_all_types_and_shapes(labels):
    ids, numbers = consecutive(labels)
    np.testing.assert_array_equal(ids[numbers], labels)
    assert len(ids) <= labels.size + 1


@pytest.fixture
def peak():
    """Bytes that the test took at most, told after it."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_two_objects_are_traced(peak):
    shapes = trace.trace_labels(TWO, lambda at: {7: "cell", FAR: "far"}[at], tolerance=0)
    assert [shape.label for shape in shapes] == ["cell", "far"]
    assert object_boxes(TWO) == {7: (slice(0, 2), slice(0, 2)), FAR: (slice(1, 3), slice(3, 4))}
    assert peak() < SMALL


def test_two_objects_are_scored(peak):
    overlap = instance.overlap(TWO, np.where(TWO == 7, FAR, 0))
    assert (overlap.true_sizes.tolist(), overlap.predicted_sizes.tolist()) == ([4, 2], [4])
    assert overlap.iou.tolist() == [1.0]
    sure = np.where(TWO == FAR, 0.5, 0.75)
    assert coco.mean_probability(TWO, sure).tolist() == [0.75, 0.5]
    near, far = objects.Labelled(TWO, (TWO > 0) + (TWO == FAR).astype(np.uint8)).by_class(2)
    assert np.unique(near).tolist() == [0, 7]
    assert np.unique(far).tolist() == [0, FAR]
    assert peak() < SMALL


def test_two_objects_are_cleaned(peak):
    assert remove_small(TWO, 3).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    ring = np.where(np.pad(np.zeros((1, 1), bool), 1, constant_values=True), FAR, 0).astype(np.int32)
    assert fill_holes(ring).tolist() == [[FAR] * 3] * 3
    assert peak() < SMALL
