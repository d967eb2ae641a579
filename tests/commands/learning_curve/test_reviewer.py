"""The simulated reviewer against masks that a reader can count."""

import numpy as np
import pytest

from kerasseg.commands.learning_curve.reviewer import Review, accepts, review

TRUE = np.uint8([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
EMPTY = np.zeros_like(TRUE)


def missing(pixels: int) -> np.ndarray:
    """Leave out the first foreground pixels of the truth: IoU is (5 - pixels) / 5."""
    mask = TRUE.copy()
    mask[0, :pixels] = 0
    return mask


@pytest.mark.parametrize(("pixels", "accepted"), [(0, True), (1, True), (2, False)])
def test_four_fifths_are_just_enough(pixels, accepted):
    assert accepts(missing(pixels), TRUE) is accepted


def test_how_much_is_enough_can_be_said():
    assert accepts(missing(2), TRUE, iou=0.6)
    assert not accepts(missing(1), TRUE, iou=0.81)


def test_nothing_where_nothing_is_agrees_and_anything_there_does_not():
    assert accepts(EMPTY, EMPTY)
    assert not accepts(TRUE, EMPTY)
    assert not accepts(EMPTY, TRUE)


def test_all_classes_are_foreground():
    assert accepts(TRUE * np.uint8(2), TRUE)


def test_ignored_pixels_are_not_looked_at():
    ignored = np.where(missing(3) != TRUE, 255, TRUE).astype(np.uint8)
    assert accepts(missing(3), ignored)
    assert not accepts(EMPTY, ignored)


def test_a_review_keeps_names_in_their_order():
    proposed = {"000-002": TRUE, "000-000": EMPTY, "000-001": missing(1)}
    assert review(proposed, dict.fromkeys(proposed, TRUE)) == Review(["000-002", "000-001"], ["000-000"])
    assert review({}, {}) == Review([], [])
