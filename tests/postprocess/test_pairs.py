"""Nuclei and their Golgi, on arrangements that can be checked by eye."""

import csv
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from kerasseg.errors import Notice
from kerasseg.postprocess import pairs as module
from kerasseg.postprocess.pairs import centres, pairs, write_csv


def line(text):
    """Write labels of one row, (1, X): a digit is an object, a dot is background."""
    return np.array([[0 if each == "." else int(each) for each in text]], np.int32)


def found(*arguments, **how):
    return [(pair.nucleus, pair.golgi) for pair in pairs(*arguments, **how)]


NUCLEI = line("11..22......33.")
GOLGI = line("..1...2...3....")


def test_neighbours_are_pairs_one_to_one():
    assert found(NUCLEI, GOLGI) == [(1, 1), (2, 2), (3, 3)]
    assert found(NUCLEI, GOLGI, farthest=2) == [(1, 1), (2, 2)]


def test_as_many_as_possible_are_joined_before_the_nearest():
    nuclei, golgi = line("..1..2"), line(".1..2.")
    assert found(nuclei, golgi) == [(1, 1), (2, 2)]
    nuclei, golgi = line("1...2.."), line("...1..2")  # 2 is nearest to 1, which 1 alone can reach
    assert found(nuclei, golgi, farthest=3) == [(1, 1), (2, 2)]


def test_a_component_of_pairs_tells_who_belongs_to_whom():
    nuclei, golgi = line("1....2..3"), line("...1...2.")
    assert found(nuclei, golgi) == [(2, 1), (3, 2)]
    assert found(nuclei, golgi, line("1111..111")) == [(1, 1), (3, 2)]
    assert found(nuclei, golgi, line("1111.111.")) == [(1, 1), (2, 2)]


def test_objects_outside_the_pairs_stay_alone():
    assert found(NUCLEI, GOLGI, line("111............")) == [(1, 1)]
    assert found(NUCLEI, GOLGI, np.zeros_like(GOLGI)) == []


def test_a_mask_of_pairs_need_not_connect_them():
    assert found(line("11...."), line("....1."), line("11..1.")) == [(1, 1)]


def test_an_object_is_held_by_what_has_half_of_it():
    nuclei, golgi = line("1111.."), line("....11")
    assert found(nuclei, golgi, line("..1111")) == [(1, 1)]
    assert found(nuclei, golgi, line("...111")) == []
    assert found(nuclei, golgi, np.array([[0, 0, 255, 255, 1, 1]], np.uint8)) == []


def test_vectors_are_in_micrometres():
    nuclei, golgi = np.zeros((2, 4, 5, 6), np.int32)
    nuclei[1, 1:3, 1], golgi[3, 4, 5] = 1, 1
    (pair,) = pairs(nuclei, golgi, spacing=(2.0, 0.5, 0.25))
    assert pair.start.tolist() == [2, 0.75, 0.25]
    assert pair.end.tolist() == [6, 2, 1.25]
    assert pair.vector.tolist() == [4, 1.25, 1]
    assert pair.length == pytest.approx(np.sqrt(16 + 1.5625 + 1))
    assert pairs(nuclei, golgi, spacing=(2.0, 0.5, 0.25), farthest=4.3) == []


def test_without_objects_there_are_no_pairs():
    nothing = np.zeros((3, 4, 5), np.int32)
    assert pairs(nothing, nothing) == pairs(nothing, nothing, nothing) == []


def test_centres_are_scipy_s():
    labels = np.random.default_rng(0).integers(0, 5, (6, 7, 8)).astype(np.int32)
    np.testing.assert_allclose(centres(labels), ndimage.center_of_mass(labels > 0, labels, range(1, 5)))
    labels[labels == 2] = 0
    assert np.isnan(centres(labels)[1]).all()


points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4, unique=True)


@given(points, points)
def test_no_other_way_to_join_as_many_is_shorter(first, second):
    nuclei, golgi = np.zeros((2, 10, 10), np.int32)
    for labels, points in ((nuclei, first), (golgi, second)):
        for number, point in enumerate(points, start=1):
            labels[point] = number
    chosen = pairs(nuclei, golgi, farthest=100)
    fewer, more = sorted((first, second), key=len)
    shortest = min(
        sum(np.hypot(*np.subtract(*ends)) for ends in zip(fewer, order, strict=True))
        for order in permutations(more, len(fewer))
    )
    assert len(chosen) == len(fewer)
    assert sum(pair.length for pair in chosen) == pytest.approx(shortest)


def test_the_table_holds_centres_vectors_and_lengths(tmp_path):
    nuclei, golgi = line("11.."), line("...1")
    write_csv(tmp_path / "a.csv", pairs(nuclei, golgi, spacing=(1, 0.5)), axes=2)
    with (tmp_path / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "pair": "1",
        "nucleus": "1",
        "golgi": "1",
        "nucleus_y": "0.0000",
        "nucleus_x": "0.2500",
        "golgi_y": "0.0000",
        "golgi_x": "1.5000",
        "dy": "0.0000",
        "dx": "1.2500",
        "length": "1.2500",
    }
    write_csv(tmp_path / "b.csv", [], axes=3)
    assert (tmp_path / "b.csv").read_text().strip().endswith("dz,dy,dx,length")


def test_noise_of_more_objects_than_can_be_joined_is_said_and_not_counted(monkeypatch):
    monkeypatch.setattr(module, "MOST_DISTANCES", 3)
    dots = np.array([[1, 0, 2]], np.int32)
    with pytest.warns(Notice, match="2 nuclei and 2 Golgi are too many to be joined"):
        assert module.pairs(dots, dots) == []
