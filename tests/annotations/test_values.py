"""A number in a mask has one meaning in all masks of a set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_arrays

from kerasseg.annotations.values import Survey, class_ids, distinct
from kerasseg.errors import UserError


def survey(*masks):
    found = Survey()
    for at, mask in enumerate(masks):
        found.add(np.asarray(mask), "abcdef"[at])
    return found


@given(
    numpy_arrays.arrays(
        st.sampled_from([np.bool_, np.uint8, np.int32, np.float32]),
        numpy_arrays.array_shapes(min_side=0, max_dims=3),
        elements=st.integers(0, 1),
    ),
    st.booleans(),
)
def test_the_numbers_of_an_array_are_those_that_sorting_finds(values, mirrored):
    values = values[..., ::-1] if mirrored else values
    assert distinct(values).tolist() == np.unique(values).tolist()


def test_numbers_that_come_once_in_front_or_at_the_end_are_found():
    assert distinct(np.array([[7, 1, 1], [1, 1, 3]])).tolist() == [1, 3, 7]
    assert distinct(np.array([np.nan, np.nan, 2])).tolist()[0] == 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.int64])
def test_0_and_255_are_background_and_the_one_class_in_every_type(dtype):
    mask = np.array([0, 255, 255], dtype)
    meaning = survey(mask, mask * 0).meaning(["cell"])
    assert meaning.mask(mask, "a").tolist() == [0, 1, 1]
    assert "255: cell" in meaning.text


@pytest.mark.parametrize(
    "mask", [np.array([False, True]), np.array([0, 65535], np.uint16), np.array([0.0, 1.0])]
)
def test_other_ways_to_write_one_class(mask):
    assert survey(mask).meaning(["cell"]).mask(mask, "a").tolist() == [0, 1]


def test_255_is_ignore_in_every_mask_where_it_is_in_one():
    ids, only_ignored = [0, 1, 255], [0, 255, 255]
    meaning = survey(ids, [0, 1], only_ignored).meaning(["cell"], key="data.values")
    assert meaning.mask(np.array(only_ignored), "c").tolist() == [0, 255, 255]
    assert meaning.text == "255 means ignore in 2 of 3 masks; where it is a class, set data.values"


def test_a_person_may_say_what_numbers_mean():
    meaning = survey([0, 1, 255, 7]).meaning(["cell", "dead"], {"cell": 255, "dead": 1, "ignore": 7})
    assert meaning.mask(np.array([0, 1, 255, 7]), "a").tolist() == [0, 2, 1, 255]


@pytest.mark.parametrize(
    ("mask", "classes", "chosen", "message"),
    [
        (
            [0, 255],
            ["cell", "dead"],
            None,
            r"holds 255 and no class beside it.*2 \(dead\)\. Name.*data\.values",
        ),
        ([0, 127], ["cell"], None, r"a: the mask holds 127.*such as \{cell: 127\}"),
        ([0, 1, 2], ["cell"], None, "a: the mask holds 2"),
        ([0, -1], ["cell"], None, "a: the mask holds -1"),
        ([-1, 1], ["cell"], None, r"such as \{background: -1, cell: 1\}"),
        ([0, np.nan], ["cell"], None, "a: the mask holds NaN"),
        ([0, 0.5], ["cell"], None, "a: the mask holds 0.5; expected whole numbers: .*probabilities"),
        ([0, 1234567890], ["cell"], None, r"holds 1234567890, .*such as \{cell: 1234567890\}"),
        ([0, 1], ["cell"], {"cel": 1}, "did you mean 'cell'"),
        ([0, 1], ["cell", "dead"], {"cell": 1}, "dead has no number"),
        ([0, 1], ["cell", "dead"], {"cell": 1, "dead": 1}, "several classes"),
        ([0, 1, 3], ["cell"], {"cell": 1}, "holds 3"),
    ],
)
def test_numbers_without_a_meaning_are_refused(mask, classes, chosen, message):
    with pytest.raises(UserError, match=message):
        survey(mask).meaning(classes, chosen, "data.values")


def test_a_number_that_a_person_did_not_name_is_told_beside_those_that_were_named():
    expected = r"b: the mask holds 1, .*; expected 0 \(background\), 255 \(cell\), as --values says"
    with pytest.raises(UserError, match=expected):
        survey([0, 255], [0, 1]).meaning(["cell"], {"cell": 255}, "--values")


def test_an_example_is_written_as_its_place_takes_it():
    with pytest.raises(UserError, match=r"in --values, such as --values background=3 --values cell=7, or"):
        survey([3, 7]).meaning(["cell"], None, "--values")


def test_each_number_is_named_with_a_mask_that_holds_it():
    with pytest.raises(
        UserError, match="b: the mask holds 2, 7 and others of this set 255, which is not a class"
    ):
        survey([0, 255], [0, 2, 7]).meaning(["cell"])
    with pytest.raises(UserError, match="a: the mask holds NaN; expected"):
        survey([np.nan, 1], [np.nan, 1]).meaning(["cell"])


def test_masks_without_foreground_are_class_ids():
    assert survey([0, 0]).meaning(["cell"]).mask(np.array([0, 0]), "a").tolist() == [0, 0]


def test_class_ids():
    assert class_ids(2).mask(np.array([0, 2, 255]), "a").tolist() == [0, 2, 255]
    with pytest.raises(UserError, match="holds 3, which is not a class; expected 0, 1, 2, 255"):
        class_ids(2).mask(np.array([3]), "a")


def test_the_command_line_is_told_what_is_typed_there():
    told = r"say what the numbers mean in --values, such as --values cell=2, or, .* read them as labels"
    with pytest.raises(UserError, match=told):
        survey([0, 1, 2]).meaning(["cell"], None, "--values")
