"""Files are found wherever links lead, what is left alone is said, and names are unique."""

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.errors import Notice, UserError
from kerasseg.images import folders


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        paths = folders.find(folder, (".png",), **how)
    return [path.relative_to(folder).as_posix() for path in paths]


def test_linked_folders_and_files_are_followed(tmp_path):
    touch(tmp_path / "elsewhere", "plate2/c.png", "d.png")
    touch(tmp_path / "root", "plate1/a.png", "plate1/b.png")
    (tmp_path / "root/plate2").symlink_to(tmp_path / "elsewhere/plate2")
    (tmp_path / "root/d.png").symlink_to(tmp_path / "elsewhere/d.png")
    assert found(tmp_path / "root") == ["d.png", "plate1/a.png", "plate1/b.png", "plate2/c.png"]


def test_links_in_a_circle_end_and_a_folder_is_listed_once_by_its_own_path(tmp_path):
    touch(tmp_path, "b/1.png", "b/deep/2.png")
    (tmp_path / "b/deep/up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert found(tmp_path) == ["b/1.png", "b/deep/2.png"]


def test_a_root_that_is_a_link_is_listed(tmp_path):
    touch(tmp_path / "real", "1.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert found(tmp_path / "link") == ["1.png"]


def test_hidden_files_and_folders_are_skipped_and_suffixes_may_be_in_capitals(tmp_path):
    touch(tmp_path, ".a.png", ".cache/b.png", "c.PNG")
    assert found(tmp_path) == ["c.PNG"]


def test_what_is_left_alone_is_counted_by_suffix_and_foreign_formats_are_named(tmp_path):
    touch(tmp_path, "a.png", "b.vsi", "deep/c.ims", "deep/d.VSI", "e.csv.gz", "a.json", ".hidden.dv")
    with pytest.warns(Notice) as said:
        folders.find(tmp_path, (".png",), known=(".json",))
    (message,) = [str(each.message) for each in said]
    assert "left alone: 4 files (2 .vsi, .ims, .csv.gz); Olympus VSI, Imaris IMS: not read here" in message


def test_nothing_is_said_where_nothing_is_left_alone(tmp_path):
    touch(tmp_path, "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folders.find(tmp_path, (".png",))


def test_a_link_that_leads_nowhere_is_said(tmp_path):
    touch(tmp_path, "a.png")
    (tmp_path / "plate2").symlink_to(tmp_path / "unmounted")
    with pytest.warns(Notice, match="plate2, a link that leads nowhere"):
        folders.find(tmp_path, (".png",))


def test_a_zarr_is_one_thing(tmp_path):
    touch(tmp_path, "a.zarr/0/0.png", "b/c.png")
    assert found(tmp_path) == ["b/c.png"]
    assert folders.walk(tmp_path) == [tmp_path / "a.zarr", tmp_path / "b/c.png"]


def test_what_is_no_folder_is_said(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"a\.png: this is a file; expected a folder"):
        folders.find(tmp_path / "a.png", (".png",))
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        folders.find(tmp_path / "nowhere", (".png",))


ROOT = Path("in")


def unique(*given):
    paths = [ROOT / name for name in given]
    return {
        path.relative_to(ROOT).as_posix(): name.as_posix()
        for path, name in folders.unique(paths, ROOT).items()
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
    (message,) = folders.clashes([("a", "a.png"), ("b", "b.png"), ("A", "A.tif")])
    assert message.startswith("A.tif: a.png has a name that many file systems take for 'A'")
    assert list(folders.clashes([("a", "a.png"), ("b", "b.png")])) == []
