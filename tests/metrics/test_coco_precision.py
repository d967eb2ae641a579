"""COCO's average precision: by eye, and by pycocotools on objects that were moved, lost and invented."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kerasseg.errors import UserError
from kerasseg.metrics import coco
from kerasseg.metrics.coco import Detections, average_precision, detections, mean_probability
from kerasseg.metrics.instance import THRESHOLDS, overlap


def found(*pairs, truths):
    confidence, iou = np.array(pairs, float).reshape(-1, 2).T
    return Detections(confidence, iou, truths)


def test_precision_falls_with_recall_by_eye():
    # right, wrong, right, of three true objects: precision 1 up to recall 1/3, 2/3 up to 2/3, then nothing
    image = found((0.9, 1), (0.8, 0), (0.7, 1), truths=3)
    assert average_precision([image]) == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)


def test_the_surer_of_two_images_counts_first():
    right, wrong = found((0.9, 1), truths=1), found((0.5, 0), truths=1)
    assert average_precision([right, wrong])[0] == pytest.approx(51 / 101)
    surer = wrong._replace(confidence=np.array([0.95]))
    assert average_precision([right, surer])[0] == pytest.approx(51 / 101 / 2)


def test_without_truth_there_is_no_score():
    assert np.isnan(average_precision([found(truths=0)])).all()
    assert np.isnan(average_precision([found((0.9, 0), truths=0)])).all()
    assert average_precision([found(truths=2)]).tolist() == [0] * 10


def test_an_object_is_as_sure_as_its_pixels_are_in_the_mean():
    labels = np.array([[2, 2, 0], [0, 5, 5]], np.int32)
    probabilities = np.array([[0.5, 0.75, 0.1], [0.2, 1, 0.5]], np.float32)
    assert mean_probability(labels, probabilities).tolist() == [0.625, 0.75]


def test_as_many_confidences_as_objects_are_needed():
    pair = overlap(np.array([[1, 2]]), np.array([[1, 2]]))
    with pytest.raises(UserError, match="2 predicted objects were given 3"):
        detections(pair, np.ones(3))


def image_of_squares(random):
    """Label 120 squares, lose some, move, shrink and split others, and give every predicted one a chance."""
    truth, predicted = np.zeros((2, 120, 120), np.int32)
    for number in range(120):
        y, x = number // 12 * 11 + 2, number % 12 * 10
        height, width = random.integers(4, 8, 2)
        truth[y : y + height, x : x + width] = number + 1
        kind = random.random()
        if kind < 0.1:
            continue
        dy, dx = random.integers(-1, 2, 2)
        predicted[y + dy : y + dy + height, max(x + dx, 0) : x + dx + width] = number + 1
        if kind > 0.9:
            predicted[y : y + height // 2, x : x + width] = 200 + number
    return truth, predicted, random.random(np.unique(predicted).size - 1).round(1)


def judged_by_pycocotools(images):
    """Average precision at each threshold: (T,)."""
    truths, answers = [], []
    for number, (truth, predicted, chances) in enumerate(images, start=1):
        for of in objects(truth):
            where = {"segmentation": of, "area": int(rle.area(of)), "iscrowd": 0}
            truths.append({"id": len(truths) + 1, "image_id": number, "category_id": 1, **where})
        for of, chance in zip(objects(predicted), chances, strict=True):
            answers.append({"image_id": number, "category_id": 1, "segmentation": of, "score": chance})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        sizes = [{"id": n, "height": 120, "width": 120} for n in range(1, len(images) + 1)]
        kinds = [{"id": 1, "name": "cell"}]
        known.dataset = {"images": sizes, "categories": kinds, "annotations": truths}
        known.createIndex()
        judge = COCOeval(known, known.loadRes(answers), "segm")
        judge.params.maxDets, judge.params.iouThrs = [1, 10, 1000], THRESHOLDS
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, 0, 0, -1].mean(axis=1)


def objects(labels):
    return [rle.encode(np.asfortranarray(labels == n, np.uint8)) for n in np.unique(labels) if n]


@pytest.mark.parametrize("seed", range(3))
def test_pycocotools_agrees(seed):
    random = np.random.default_rng(seed)
    images = [image_of_squares(random) for _ in range(3)]
    ours = average_precision(
        [detections(overlap(truth, predicted), chances) for truth, predicted, chances in images]
    )
    assert 0 < ours.min() < ours.max() < 0.9
    np.testing.assert_allclose(ours, judged_by_pycocotools(images), rtol=0, atol=1e-12)


def test_scores_are_means_over_thresholds_with_intervals():
    random = np.random.default_rng(5)
    images = [
        detections(overlap(truth, predicted), chances)
        for truth, predicted, chances in (image_of_squares(random) for _ in range(4))
    ]
    scores, each = coco.scores(images), average_precision(images)
    assert scores["average_precision_coco"] == pytest.approx(each.mean())
    assert (scores["average_precision_coco_50"], scores["average_precision_coco_75"]) == (each[0], each[5])
    for name in ("average_precision_coco", "average_precision_coco_50", "average_precision_coco_75"):
        low, high = scores[f"{name}_interval"]
        assert low < scores[name] < high


def test_an_image_drawn_twice_counts_as_two_like_it():
    one, other = found((0.9, 1), (0.8, 0), truths=2), found((0.7, 1), truths=2)
    ranked = coco._rank([one, other])
    np.testing.assert_allclose(
        coco._precision(ranked, np.array([2, 1])), average_precision([one, one, other])
    )


def test_no_image_has_no_score():
    with pytest.raises(UserError, match="no image"):
        coco.scores([])
