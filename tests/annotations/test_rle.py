"""Run lengths against a table that a reader checks by eye, and against pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from kerasseg.annotations import rle
from kerasseg.errors import UserError

MASK = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 1]], bool)
RUNS = {  # start, length, ...
    "row": [2, 2, 5, 1, 8, 3, 12, 1],
    "column": [2, 3, 6, 2, 11, 2],
}
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


def counts(mask):
    return rle.box_counts(mask, (0, 0), mask.shape)


@pytest.mark.parametrize("order", RUNS)
def test_runs_are_counted_in_both_orders(order):
    assert np.array_equal(rle.decode(RUNS[order], MASK.shape, order), MASK)
    assert np.array_equal(rle.decode(" ".join(map(str, RUNS[order])), MASK.shape, order), MASK)


def test_counts_begin_with_background():
    assert counts(MASK) == [1, 3, 1, 2, 3, 2]
    assert counts(np.ones((2, 2), bool)) == [0, 4]
    assert counts(np.zeros((2, 2), bool)) == [4]


def test_all_instances_in_one_pass():
    labels = np.array([[2, 2, 0, 5], [5, 5, 0, 2]])
    assert rle.encode_labels(labels) == {2: [1, 2, 8, 1], 5: [4, 3]}
    assert rle.encode_labels(MASK.astype(int)) == {1: RUNS["row"]}
    assert rle.encode_labels(np.zeros((2, 3), int)) == {}


@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 4))
)
def test_every_instance_comes_back(labels):
    runs = rle.encode_labels(labels)
    assert list(runs) == np.unique(labels[labels > 0]).tolist()
    for number, of_one in runs.items():
        assert np.array_equal(rle.decode(of_one, labels.shape), labels == number)


@given(MASKS)
def test_counts_and_strings_are_those_of_pycocotools(mask):
    peer = pytest.importorskip("pycocotools.mask")
    given = counts(mask)
    text = peer.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    assert rle.compress(given) == text
    assert rle.decompress(text) == given
    assert np.array_equal(rle.from_counts(given, mask.shape), mask)


def test_long_runs_need_long_numbers():
    peer = pytest.importorskip("pycocotools.mask")
    mask = np.zeros((3000, 2000), np.uint8)
    mask[10:2990, 900] = mask[5, 1999] = 1
    assert rle.compress(counts(mask)) == peer.encode(np.asfortranarray(mask))["counts"].decode()


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("1 2 3", "3 numbers; expected pairs"),
        ("1 x", "whole numbers; got 1 x"),
        ([1, 1.5], "whole numbers"),
        ([1, float("nan")], "whole numbers"),
        ([1, 10**30], "whole numbers"),
        ("0 1", r"run 1 \(0 1\) lies outside the image of 12 pixels"),
        ("1 1 12 2", r"run 2 \(12 2\) lies outside"),
        ("3 0", "not at least one pixel long"),
        ("3 -1", "not at least one pixel long"),
        ("1 3 3 1", r"run 2 \(3 1\) begins before the run before it ends"),
        ("5 1 1 1", "begins before"),
    ],
)
def test_wrong_runs_are_refused_by_name(runs, message):
    with pytest.raises(UserError, match=message) as error:
        rle.decode(runs, (3, 4), name="cell7")
    assert str(error.value).startswith("cell7")


@pytest.mark.parametrize("wrong", [[5, 6], [5, 8], [13, -1], ["a"], [None]])
def test_wrong_counts_are_refused(wrong):
    with pytest.raises(UserError, match="cell7"):
        rle.from_counts(wrong, (3, 4), "cell7")


@pytest.mark.parametrize("text", ["\x00", "abc\x7f", "é", "52`"])
def test_wrong_strings_are_refused(text):
    with pytest.raises(UserError, match="not a COCO run-length string"):
        rle.decompress(text)


def test_nothing_is_nothing():
    assert not rle.decode("", (3, 4)).any()


def test_sartorius_runs_cover_cells(shared_data):
    """Row-major from 1 gives whole bodies of real cells; column-major would tear them into stripes."""
    _, runs, width, height, *_ = (
        (shared_data / "phase_kaggle" / "train.csv").read_text().splitlines()[1].split(",")
    )
    size = int(height), int(width)
    parts = {order: ndimage.label(rle.decode(runs, size, order))[1] for order in RUNS}
    assert parts["row"] == 1
    assert parts["column"] > 1


@given(MASKS, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_counts_of_a_box_are_those_of_the_image(mask, above, below, left, right):
    image = np.pad(mask, ((above, below), (left, right)))
    assert rle.box_counts(mask, (above, left), image.shape) == counts(image)
