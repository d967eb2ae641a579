"""No two inputs have one output, on file systems too that do not tell A from a."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.images import names

ROOT = Path("in")


def unique(*given):
    paths = [ROOT / name for name in given]
    return {
        path.relative_to(ROOT).as_posix(): name.as_posix() for path, name in names.unique(paths, ROOT).items()
    }


def test_names_are_short_where_they_are_unique_and_keep_the_suffix_where_they_meet():
    assert unique("a.png", "a.tif", "b.ome.tif", "deep/a.png") == {
        "a.png": "a.png",
        "a.tif": "a.tif",
        "b.ome.tif": "b",
        "deep/a.png": "deep/a",
    }


def test_names_that_meet_where_capitals_do_not_count_keep_the_suffix_too():
    assert unique("A.png", "a.tif") == {"A.png": "A.png", "a.tif": "a.tif"}


@pytest.mark.parametrize(
    "pair", [("A.png", "a.png"), ("\u00e9.png", "e\u0301.png"), ("a.png", "a.tif", "a.png.tif")]
)
def test_names_that_cannot_be_told_apart_are_refused(pair):
    with pytest.raises(UserError, match="rename or remove one of them"):
        unique(*pair)


@given(st.sets(st.sampled_from(["a.png", "a.tif", "A.jpg", "b/a.png", "b/c.tif", "c.ome.tif", "c.tif"])))
def test_no_two_results_are_one_file_anywhere(files):
    given = unique(*sorted(files))
    assert len({name.casefold() for name in given.values()}) == len(files)


def test_clashes_name_both_files():
    (message,) = names.clashes([("a", "a.png"), ("b", "b.png"), ("A", "A.tif")])
    assert message.startswith("A.tif: a.png has a name that many file systems take for 'A'")
    assert list(names.clashes([("a", "a.png"), ("b", "b.png")])) == []
