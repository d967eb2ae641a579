"""Objects class by class, on labels that can be checked by eye."""

import numpy as np
import pytest

from kerasseg.metrics import objects
from kerasseg.metrics.objects import Labelled

MASK = np.array([[1, 1, 0, 2], [1, 0, 0, 2], [2, 0, 0, 255]], np.uint8)
LABELS = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [1, 0, 0, 2]], np.int32)
SURE = np.dstack([np.full(MASK.shape, 0.5), np.full(MASK.shape, 0.75)]).astype(np.float32)


def test_an_object_is_of_the_class_that_most_of_its_pixels_have():
    first, second = Labelled(LABELS, MASK).by_class(2)
    assert first.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    assert second.tolist() == [[0, 0, 0, 2], [0, 0, 0, 2], [0, 0, 0, 2]]


def test_a_right_object_of_a_wrong_class_is_missed_and_invented():
    other = np.where(MASK == 2, 1, MASK)
    one, two = objects.compare(Labelled(LABELS, MASK), Labelled(LABELS, other), SURE)
    assert (one.counts.tp[0], one.counts.fp[0], one.counts.fn[0]) == (1, 1, 0)
    assert (two.counts.tp[0], two.counts.fp[0], two.counts.fn[0]) == (0, 0, 1)


def test_objects_are_as_sure_as_their_class_is_there():
    one, two = objects.compare(Labelled(LABELS, MASK), Labelled(LABELS, MASK), SURE)
    assert (one.detections.confidence.tolist(), two.detections.confidence.tolist()) == ([0.5], [0.75])


def test_a_class_without_objects_has_no_scores():
    three = np.dstack([SURE, SURE[..., :1]])
    same = objects.compare(Labelled(LABELS, MASK), Labelled(LABELS, MASK), three)
    found = objects.scores({"a": same, "b": same}, ["cell", "nucleus", "debris"])
    assert list(found["classes"]) == list(found["images"]["b"]) == ["cell", "nucleus"]
    cell = found["classes"]["cell"]
    assert cell["true_objects"] == 2
    for name in ("aji", "pq_per_image", "average_precision_dsb2018", "average_precision_coco"):
        assert cell[name] == pytest.approx(1)
        assert cell[f"{name}_interval"] == pytest.approx([1, 1])
