"""Files and folders that appear whole or not at all."""

import json

import pytest

from kerasseg import locks
from kerasseg.errors import Blocked, UserError
from kerasseg.files import (
    folder_atomically,
    read_json,
    write_atomically,
    write_json,
    write_json_list,
)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _fail_while_writing(write, path):
    with write(path) as temporary:
        (temporary / "inside" if temporary.is_dir() else temporary).write_text("half")
        raise RuntimeError


@pytest.mark.parametrize("write", [write_atomically, folder_atomically])
def test_a_failed_write_leaves_nothing(tmp_path, write):
    with pytest.raises(RuntimeError):
        _fail_while_writing(write, tmp_path / "a")
    assert _names(tmp_path) == []


def test_a_failed_write_spares_the_file_that_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError):
        _fail_while_writing(write_atomically, tmp_path / "a.txt")
    assert _names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize("write", [write_atomically, folder_atomically])
def test_a_full_disk_is_the_users_matter(tmp_path, write):
    with pytest.raises(UserError, match=r"a\.txt.*No space left"), write(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")


def test_a_folder_takes_the_place_of_the_former_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    (tmp_path / ".a.unfinished").mkdir()  # by a kill
    (tmp_path / ".a.unfinished" / "half").touch()
    with folder_atomically(tmp_path / "a") as folder:
        (folder / "new").touch()
        assert _names(tmp_path / "a") == ["old"]
    assert _names(tmp_path) == ["a"]
    assert _names(tmp_path / "a") == ["new"]


def test_two_do_not_write_one_folder(tmp_path):
    with (
        locks.held(tmp_path / ".a.lock", tmp_path / "a"),
        pytest.raises(Blocked, match="is at work there"),
        folder_atomically(tmp_path / "a"),
    ):
        pass


def test_json_is_written_for_people_and_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"size": [1, 2], "unit": "µm"})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n "size": [\n  1,\n  2\n ],\n "unit": "µm"\n}\n'
    assert read_json(tmp_path / "a.json") == {"size": [1, 2], "unit": "µm"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", float("nan"))


@pytest.mark.parametrize("entries", [[], [1], [{"a": 1}, {"b": 2}]])
def test_a_list_is_written_one_entry_after_another(tmp_path, entries):
    write_json_list(tmp_path / "a.json", {"name": "µ"}, "entries", iter(entries))
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": "µ", "entries": entries}


def test_what_is_not_json_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: this is not JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"b\.json: there is no such file"):
        read_json(tmp_path / "b.json")
