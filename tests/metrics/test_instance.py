"""Matching and its scores, by eye, by the definitions written out, and by StarDist."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerasseg.errors import UserError
from kerasseg.metrics import instance
from kerasseg.metrics.instance import THRESHOLDS, count, image_scores, match, overlap

TRUTH = np.array([[1, 1, 0, 4, 4], [1, 1, 0, 4, 4], [0, 0, 0, 4, 4]], np.int32)
FOUND = np.array([[7, 7, 0, 2, 2], [7, 0, 0, 2, 2], [9, 0, 0, 3, 3]], np.int32)

few = st.integers(0, 4)
labels = arrays(np.int32, (4, 6), elements=few) | arrays(np.int32, (2, 3, 4), elements=few)
pairs = labels.flatmap(lambda truth: st.tuples(st.just(truth), arrays(np.int32, truth.shape, elements=few)))


def objects(labels):
    return [labels == number for number in np.unique(labels) if number]


def iou(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_overlaps_by_eye():
    found = overlap(TRUTH, FOUND)
    assert found.true_sizes.tolist() == [4, 6]
    assert found.predicted_sizes.tolist() == [4, 2, 3, 1]  # of ids 2, 3, 7, 9
    assert list(zip(found.true, found.predicted, found.intersections, strict=True)) == [
        (0, 2, 3),
        (1, 0, 4),
        (1, 1, 2),
    ]
    np.testing.assert_allclose(found.iou, [3 / 4, 4 / 6, 2 / 6])


def test_scores_by_eye():
    found = image_scores(count(overlap(TRUTH, FOUND)))
    # two matches of IoU 0.75 and 0.67; of four predicted objects and two true ones
    at = [2 / 4] * 4 + [1 / 5] * 2 + [0] * 4
    assert found == pytest.approx(
        {
            "average_precision_dsb2018": np.mean(at),
            "aji": (3 + 4) / (4 + 6 + 2 + 1),
            "pq": (3 / 4 + 4 / 6) / (2 + 2 / 2),
            "sq": (3 / 4 + 4 / 6) / 2,
            "rq": 4 / 6,
            "true_objects": 2,
            "predicted_objects": 4,
            "splits": 1,
            "merges": 0,
        }
    )


def test_what_two_objects_were_taken_for_is_merged():
    assert count(overlap(FOUND, TRUTH)).merges == 1
    assert count(overlap(FOUND, TRUTH)).splits == 0


def test_of_two_halves_one_is_found():
    truth, halves = np.array([[1, 1]]), np.array([[1, 2]])
    for found in (count(overlap(truth, halves)), count(overlap(halves, truth))):
        assert found.tp.tolist() == [1] + [0] * 9


def test_of_two_halves_the_surer_one_is_found():
    halves = overlap(np.array([[1, 1]]), np.array([[1, 2]]))
    assert halves.predicted[match(halves)].tolist() == [0]
    assert halves.predicted[match(halves, np.array([0.6, 0.9]))].tolist() == [1]


@given(pairs)
def test_a_quality_is_the_product_of_its_two(pair):
    found = image_scores(count(overlap(*pair)))
    assert found["pq"] == pytest.approx(found["sq"] * found["rq"], nan_ok=True)


@given(pairs)
def test_the_aggregated_jaccard_index_is_algorithm_1_of_kumar_et_al(pair):
    truth, predicted = map(objects, pair)
    intersection = union = 0
    used = set()
    for one in truth:
        fits = [iou(one, other) for other in predicted]
        if not any(fits):
            union += one.sum()
            continue
        best = int(np.argmax(fits))
        used.add(best)
        intersection += (one & predicted[best]).sum()
        union += (one | predicted[best]).sum()
    union += sum(other.sum() for at, other in enumerate(predicted) if at not in used)
    expected = intersection / union if truth else np.nan
    assert image_scores(count(overlap(*pair)))["aji"] == pytest.approx(expected, nan_ok=True)


@given(pairs)
def test_splits_and_merges_are_those_of_all_pairs(pair):
    truth, predicted = map(objects, pair)
    table = np.array([[iou(one, other) > 0.1 for other in predicted] for one in truth]).reshape(
        len(truth), len(predicted)
    )
    found = count(overlap(*pair))
    assert found.splits == (table.sum(axis=1) > 1).sum()
    assert found.merges == (table.sum(axis=0) > 1).sum()


@pytest.fixture(scope="session")
def stardist():
    """StarDist's matching alone: the package brings much that is not needed here."""
    pytest.importorskip("numba")
    folders = (
        importlib.util.find_spec("stardist") or pytest.skip("needs stardist")
    ).submodule_search_locations
    spec = importlib.util.spec_from_file_location("matching", f"{folders[0]}/matching.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agrees(stardist, truth, found):
    counts = count(overlap(truth, found))
    for at, theirs in enumerate(stardist.matching(truth, found, thresh=THRESHOLDS)):
        assert (counts.tp[at], counts.fp[at], counts.fn[at]) == (theirs.tp, theirs.fp, theirs.fn)
        if theirs.n_true + theirs.n_pred == 0:
            continue  # StarDist gives nothing against nothing a 0
        for score in ("precision", "recall", "f1"):
            assert instance.BY_THRESHOLD[score](counts)[at] == pytest.approx(getattr(theirs, score))
        if THRESHOLDS[at] == 0.5:
            ours = image_scores(counts)
            assert ours["pq"] == pytest.approx(theirs.panoptic_quality, rel=1e-6)
            assert ours["sq"] == pytest.approx(theirs.mean_matched_score, rel=1e-6)


@settings(deadline=None, max_examples=30)  # numba compiles at the first call
@given(pair=pairs)
def test_stardist_matches_the_same_objects(stardist, pair):
    agrees(stardist, *pair)


@pytest.mark.parametrize("name", ["mask2d", "mask3d"])
def test_stardist_matches_the_same_nuclei(stardist, shared_data, name):
    tifffile = pytest.importorskip("tifffile")
    truth = tifffile.imread(shared_data / "nuclei_stardist" / f"{name}.tif").astype(np.int32)
    agrees(stardist, truth, np.roll(truth, 3, axis=-1))
    agrees(stardist, truth, truth // 2)  # merges neighbours by number


def test_pooled_counts_images_together_and_per_image_does_not():
    good, bad = count(overlap(TRUTH, TRUTH)), count(overlap(TRUTH, np.zeros_like(TRUTH)))
    found = instance.scores([good, bad, bad])
    assert found["rq"] == pytest.approx(2 * 2 / (2 * 2 + 4))
    assert found["rq_per_image"] == pytest.approx(1 / 3)
    assert found["true_objects"] == 6
    low, high = found["rq_interval"]
    assert low == 0 < found["rq"] < high
    assert found["by_threshold"]["recall"] == pytest.approx([1 / 3] * 10)
    assert np.shape(found["by_threshold"]["recall_per_image_interval"]) == (10, 2)


def test_counts_of_two_images_add_up():
    one, other = count(overlap(TRUTH, FOUND)), count(overlap(FOUND, TRUTH))
    assert image_scores(one + other)["predicted_objects"] == 6


def test_without_truth_there_is_no_score():
    nothing = np.zeros_like(TRUTH)
    for score in (*instance.SCORES.values(), *instance.BY_THRESHOLD.values()):
        assert np.isnan(score(count(overlap(nothing, nothing)))).all()
        assert np.isnan(score(count(overlap(nothing, TRUTH)))).all()
        assert np.all(score(count(overlap(TRUTH, nothing))) == 0)


def test_labels_of_different_sizes_are_refused():
    with pytest.raises(UserError, match=r"\(3, 5\) were compared with labels of \(2, 5\)"):
        overlap(TRUTH, FOUND[:2])
