"""What was taken for what, and averages over classes, by eye and by scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from kerasseg.errors import UserError
from kerasseg.metrics import confusion, pixel
from kerasseg.metrics.confusion import AVERAGES, Confusion

TRUTH = np.array([[0, 0, 0, 1], [1, 1, 2, 255]], np.uint8)
FOUND = np.array([[0, 0, 1, 1], [1, 2, 0, 2]], np.uint8)

masks = arrays(np.uint8, (4, 5), elements=st.integers(0, 3))


def test_true_classes_stand_down_and_predicted_ones_across():
    counts = confusion.confusion(TRUTH, FOUND, 2)
    assert counts.pixels.tolist() == [[2, 1, 0], [0, 2, 1], [1, 0, 0]]


def test_averages_by_eye():
    counts = Confusion(np.array([[8, 2], [0, 4]]))  # F1 of the background 16/18, of the class 8/10
    scores = {name: float(average(counts)) for name, average in AVERAGES.items()}
    assert scores == pytest.approx(
        {
            "f1_micro": 12 / 14,
            "f1_weighted": (10 * 16 / 18 + 4 * 8 / 10) / 14,
            "f1_macro": (16 / 18 + 8 / 10) / 2,
            "f1_micro_foreground": 8 / 10,
            "f1_weighted_foreground": 8 / 10,
            "f1_macro_foreground": 8 / 10,
        }
    )


@given(masks, masks)
def test_scikit_learn_calls_them_the_same(truth, found):
    counts = confusion.confusion(truth, found, 3)
    flat = truth.ravel(), found.ravel()
    assert counts.pixels.tolist() == confusion_matrix(*flat, labels=range(4)).tolist()
    assert AVERAGES["f1_micro"](counts) == pytest.approx(accuracy_score(*flat))
    for first, suffix in ((0, ""), (1, "_foreground")):
        there = [k for k in range(first, 4) if (truth == k).any()]
        if not there:
            continue
        for average in ("micro", "weighted", "macro"):
            labels = range(first, 4) if average == "micro" else there
            expected = f1_score(*flat, labels=labels, average=average, zero_division=0)
            assert AVERAGES[f"f1_{average}{suffix}"](counts) == pytest.approx(expected), average


@given(masks, masks)
def test_the_counts_of_classes_follow_from_what_was_taken_for_what(truth, found):
    counts = pixel.of_confusion(confusion.confusion(truth, found, 3))
    for ours, theirs in zip(counts, pixel.count(truth, found, 3), strict=True):
        assert ours.tolist() == theirs.tolist()
    assume((truth > 0).any())
    of_foreground = confusion.f1(confusion.confusion(truth, found, 3))[1:]
    np.testing.assert_allclose(of_foreground, pixel.dice(counts))


def test_without_truth_there_is_no_score():
    nothing, something = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    counts = confusion.confusion(nothing, something, 1)
    assert AVERAGES["f1_micro"](counts) == 0
    for name in ("f1_micro_foreground", "f1_weighted_foreground", "f1_macro_foreground"):
        assert np.isnan(AVERAGES[name](counts))


def test_images_are_pooled_and_averaged_with_intervals():
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 3, (12, 8, 8)).astype(np.uint8)
    founds = np.where(rng.random(truths.shape) < 0.7, truths, rng.integers(0, 3, truths.shape)).astype(
        np.uint8
    )
    counts = [confusion.confusion(*pair, 2) for pair in zip(truths, founds, strict=True)]
    scores = confusion.averages(counts)
    assert set(scores) == {
        f"{name}{ending}"
        for name in AVERAGES
        for ending in ("", "_interval", "_per_image", "_per_image_interval")
    }
    assert scores["f1_macro"] == pytest.approx(f1_score(truths.ravel(), founds.ravel(), average="macro"))
    each = [f1_score(a.ravel(), b.ravel(), average="macro") for a, b in zip(truths, founds, strict=True)]
    assert scores["f1_macro_per_image"] == pytest.approx(np.mean(each))
    low, high = scores["f1_macro_interval"]
    assert low < scores["f1_macro"] < high
    assert confusion.pooled(counts).pixels.sum() == truths.size


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="class id 2, but there are 1 classes"):
        confusion.confusion(TRUTH, FOUND, 1)
