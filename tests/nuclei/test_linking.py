"""A nucleus keeps its id from slice to slice, whatever drifts, passes, or is missed once."""

import pytest

from kerasseg.errors import Notice
from kerasseg.nuclei.detection import detect
from kerasseg.nuclei.linking import Sighting, link, sighted, tracks

DRIFT = 18  # pixels a slice


def seen(at, y, x, area=100.0, score=0.9):
    return Sighting(at, float(y), float(x), 12.0, 10.0, 0.0, area, False, score)


def test_real_nuclei_keep_one_id_under_drift_and_share_none(real_slice):
    real = real_slice("jrc_dauer-larva")
    sightings = []
    for at in range(6):
        image = real.image[DRIFT * at : DRIFT * at + 1040]
        sightings += [sighted(each, at) for each in detect(image, 134) if not each.reason]
    numbers = link(sightings, 134)
    ids = [
        {
            number
            for number, each in zip(numbers, sightings, strict=True)
            if nucleus.is_met(each, shift=DRIFT * each.slice)
        }
        for nucleus in real.whole
    ]
    assert [len(each) for each in ids] == [1] * 15
    assert len(set.union(*ids)) == 15


def test_two_that_pass_each_other_keep_their_ids():
    sightings = []
    for at in range(9):
        sightings += [seen(at, 50, 10 + 12 * at), seen(at, 100, 106 - 12 * at)]
    assert link(sightings, 40) == [0, 1] * 9


def test_all_are_joined_over_the_least_sum_not_each_with_its_nearest():
    # Each moved by 9; the second now lies nearer to where the first was (2) than the first does.
    sightings = [seen(0, 0, 0), seen(0, 0, 11), seen(1, 0, -9), seen(1, 0, 2)]
    assert link(sightings, 40) == [0, 1, 0, 1]


@pytest.mark.parametrize(("missed", "same"), [(1, True), (2, True), (3, False)])
def test_a_nucleus_may_be_missed_twice_running(missed, same):
    numbers = link([seen(0, 5, 5), seen(missed + 1, 5, 5)], 40)
    assert (numbers[0] == numbers[1]) is same


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (seen(1, 0, 14), True),
        (seen(1, 0, 14.1), False),
        (seen(1, 0, 0, area=200), True),
        (seen(1, 0, 0, area=201), False),
        (seen(1, 0, 0, area=49), False),
    ],
)
def test_what_lies_too_far_or_has_another_size_is_another(after, same):
    numbers = link([seen(0, 0, 0), after], 40)
    assert (numbers[0] == numbers[1]) is same


def test_ids_count_those_that_are_kept_in_the_order_of_first_sightings():
    sightings = [
        seen(0, 0, 0),
        seen(0, 90, 0),
        seen(1, 90, 0),
        seen(1, 50, 50),
        seen(2, 90, 0),
        seen(2, 50, 50),
    ]
    with pytest.warns(Notice, match="1 of 3 candidates were seen in fewer than 2 slices and are dropped"):
        found = tracks(sightings, link(sightings, 40), fewest=2)
    assert {number: [each.slice for each in track] for number, track in found.items()} == {
        1: [0, 1, 2],
        2: [1, 2],
    }


def test_a_missed_slice_is_filled_with_where_the_nucleus_was():
    sightings = [seen(0, 5, 5), seen(2, 7, 7)]
    found = tracks(sightings, link(sightings, 40), fewest=2)
    assert found == {1: [sightings[0], seen(1, 5, 5, score=0.0), sightings[1]]}


def test_nothing_is_linked_to_nothing():
    assert link([], 40) == []
    assert tracks([], [], fewest=3) == {}
