"""Counts and scores, by eye and by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import jaccard_score, precision_recall_fscore_support

from kerasseg.errors import UserError
from kerasseg.images.masks import one_hot
from kerasseg.metrics import pixel
from kerasseg.metrics.pixel import Counts, count

TRUTH = np.array([[1, 1, 0], [0, 2, 255]], np.uint8)
FOUND = np.array([[1, 0, 1], [0, 2, 2]], np.uint8)

masks = arrays(np.uint8, (4, 5), elements=st.integers(0, 2))


def lists(counts):
    return [array.tolist() for array in counts]


def test_counts_by_eye():
    assert lists(count(TRUTH, FOUND, 2)) == [[1, 1], [1, 0], [1, 0], [2, 4]]


def test_scores_by_eye():
    counts = Counts(*(np.array([number]) for number in (6, 2, 1, 9)))
    assert pixel.iou(counts) == pytest.approx(6 / 9)
    assert pixel.dice(counts) == pytest.approx(12 / 15)
    assert pixel.precision(counts) == pytest.approx(6 / 8)
    assert pixel.recall(counts) == pytest.approx(6 / 7)


def test_without_truth_there_is_no_score():
    nothing, something = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    for score in pixel.SCORES.values():
        assert np.isnan(score(count(nothing, nothing, 1)))
        assert np.isnan(score(count(nothing, something, 1)))
        assert score(count(something, nothing, 1)) == [0]


def test_an_image_without_truth_has_no_part_in_the_mean_but_its_pixels_in_the_pool():
    with_truth = Counts(*(np.array([number]) for number in (8, 0, 2, 0)))
    without = Counts(*(np.array([number]) for number in (0, 10, 0, 0)))
    scores = pixel.scores([with_truth, without], ["cell"])["cell"]
    assert scores["iou_per_image"] == pytest.approx(0.8)
    assert scores["iou"] == pytest.approx(8 / 20)
    alone = pixel.scores([without, without], ["cell"])["cell"]
    assert np.isnan([alone["dice"], alone["dice_per_image"], *alone["dice_interval"]]).all()


@given(masks, masks)
def test_scikit_learn_agrees_wherever_a_class_is_there(truth, found):
    counts = count(truth, found, 2)
    present = [k for k in (1, 2) if (truth == k).any()]
    if not present:
        return
    judge = {"labels": present, "average": None, "zero_division": 0}
    precision, recall, dice, _ = precision_recall_fscore_support(truth.ravel(), found.ravel(), **judge)
    iou = jaccard_score(truth.ravel(), found.ravel(), **judge)
    columns = np.array(present) - 1
    for ours, theirs in (
        (pixel.precision, precision),
        (pixel.recall, recall),
        (pixel.dice, dice),
        (pixel.iou, iou),
    ):
        np.testing.assert_allclose(ours(counts)[columns], theirs)


@given(masks, masks)
def test_dice_follows_from_iou_on_one_image_and_on_pooled_pixels(truth, found):
    counts = count(truth, found, 2) + count(found, truth, 2)
    iou = pixel.iou(counts)
    np.testing.assert_allclose(pixel.dice(counts), 2 * iou / (1 + iou))


def test_pooled_and_per_image_are_two_things():
    good = Counts(*(np.array([number]) for number in (90, 5, 5, 0)))
    bad = Counts(*(np.array([number]) for number in (1, 9, 0, 90)))
    scores = pixel.scores([good, bad], ["cell"])["cell"]
    assert scores["iou"] == pytest.approx(91 / 110)
    assert scores["iou_per_image"] == pytest.approx((0.9 + 0.1) / 2)


def test_intervals_hold_the_score_and_do_not_change():
    rng = np.random.default_rng(0)
    images = [Counts(*rng.integers(1, 50, (4, 1))) for _ in range(20)]
    scores = pixel.scores(images, ["cell"])["cell"]
    assert scores == pixel.scores(images, ["cell"])["cell"]
    for name in ("iou", "dice", "precision", "recall", "iou_per_image", "dice_per_image"):
        low, high = scores[f"{name}_interval"]
        assert low < scores[name] < high


def test_an_interval_of_many_like_images_is_narrower():
    rng = np.random.default_rng(0)
    images = [Counts(*rng.integers(20, 50, (4, 1))) for _ in range(200)]
    few, many = (pixel.scores(images[:n], ["cell"])["cell"]["dice_interval"] for n in (8, 200))
    assert many[1] - many[0] < few[1] - few[0]


@given(arrays(np.float32, (3, 4, 2), elements=st.floats(0, 1, width=32)), masks)
def test_many_thresholds_at_once_count_as_each_does(probabilities, mask):
    mask, thresholds = mask[:3, :4], [0.25, 0.5, 0.75]
    found = pixel.threshold_counts(probabilities, mask, thresholds)
    for at, threshold in enumerate(thresholds):
        for k in range(2):
            one = count(
                (mask == k + 1).astype(np.uint8), (probabilities[..., k] >= threshold).astype(np.uint8), 1
            )
            assert [array[at, k] for array in found] == [array[0] for array in one]


@given(arrays(np.float32, (3, 4, 2), elements=st.floats(0, 1, width=32)), arrays(np.uint8, (3, 4, 2)))
def test_many_thresholds_count_classes_that_do_not_exclude_each_other(probabilities, mask):
    mask = np.where(mask == 255, mask, mask % 2).astype(np.uint8)
    found = pixel.threshold_counts(probabilities, mask, [0.25, 0.5])
    for at, threshold in enumerate([0.25, 0.5]):
        one = count(mask, (probabilities >= threshold).astype(np.uint8), 2, exclusive=False)
        assert [array[at].tolist() for array in found] == lists(one)


def test_a_curve_pools_images_before_it_scores():
    mask, thresholds = np.array([1, 1, 0], np.uint8), [0.2, 0.6]
    images = [np.array([[0.9], [0.5], [0.4]], np.float32), np.array([[0.1], [0.7], [0.1]], np.float32)]
    counts = [pixel.threshold_counts(image, mask, thresholds) for image in images]
    curve = pixel.threshold_curve(counts, thresholds, ["cell"])
    assert curve["threshold"] == thresholds
    np.testing.assert_allclose(curve["iou"], [3 / 5, 2 / 4])
    assert curve["classes"]["cell"]["iou"] == curve["iou"]


def test_a_curve_averages_classes_and_tells_each():
    mask, thresholds = np.array([[1, 0], [0, 1]], np.uint8), [0.5]
    probabilities = np.array([[0.9, 0.9], [0.9, 0.9]], np.float32)
    counts = [pixel.threshold_counts(probabilities[:, :1], mask[:, :1], thresholds)]
    assert pixel.threshold_curve(counts, thresholds, ["a"])["dice"] == pytest.approx([2 / 3])
    mask = np.array([[1, 1], [0, 1]], np.uint8)
    counts = [pixel.threshold_counts(probabilities, mask, thresholds)]
    curve = pixel.threshold_curve(counts, thresholds, ["a", "b"])
    assert curve["dice"] == pytest.approx([5 / 6])
    assert [curve["classes"][name]["dice"][0] for name in "ab"] == pytest.approx([2 / 3, 1])


def test_a_pixel_of_several_classes_counts_for_each():
    truth = np.array([[1, 1, 0], [1, 0, 255], [255, 1, 0]], np.uint8)  # three pixels, three classes
    found = np.array([[1, 0, 1], [1, 1, 1], [1, 1, 0]], np.uint8)
    counts = count(truth, found, 3, exclusive=False)
    assert lists(counts) == [[2, 1, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]]


def test_all_classes_counted_as_one():
    truth, found = np.uint8([1, 2, 2, 0, 255]), np.uint8([2, 2, 0, 1, 1])
    assert lists(pixel.count_foreground(truth, found)) == [[2], [1], [1], [0]]


@given(masks, masks)
def test_the_mean_iou_of_two_classes_is_scikit_learns(truth, found):
    counts = pixel.count_foreground(truth, found)
    present = np.unique(truth > 0)
    expected = jaccard_score(truth.ravel() > 0, found.ravel() > 0, average="macro", labels=present)
    assert pixel.mean_iou_two_class(counts) == pytest.approx([expected])


@given(masks, masks)
def test_exclusive_masks_count_alike_in_both_ways_of_writing(truth, found):
    truth[0, 0] = 255
    ids = count(truth, found, 2)
    truth, found = (one_hot(mask, [1, 2]) for mask in (truth, found))
    assert lists(count(truth, found, 2, exclusive=False)) == lists(ids)


@pytest.mark.parametrize(
    ("found", "message"),
    [(FOUND[:1], "shape"), (np.full((2, 3), 3, np.uint8), "class id 3")],
)
def test_what_cannot_be_compared_is_refused(found, message):
    with pytest.raises(UserError, match=message):
        count(TRUTH, found, 2)
