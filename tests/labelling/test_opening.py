"""labelme is opened with what it understands, or it is said how to get it."""

import subprocess
import sys

import pytest

from kerasseg.errors import UserError
from kerasseg.labelling import opening
from kerasseg.labelling.propose import unproposed


@pytest.fixture
def ready(selected):
    unproposed(selected, ["00-00"])
    return selected


def test_labelme_is_given_the_folder_and_the_labels(ready, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda _: object())
    monkeypatch.setattr(opening, "version", lambda _: "6.3.1")
    assert opening.command(ready, ["cell", "debris"]) == [
        *(sys.executable, "-m", "labelme", str(ready / "queue")),
        *("--labels", "cell,debris,__ignore__", "--validate-label", "exact"),
    ]


def test_older_versions_are_told_to_save_by_themselves_and_no_pixels(ready, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda _: object())
    monkeypatch.setattr(opening, "version", lambda _: "5.10.1")
    assert opening.command(ready, ["cell"])[-2:] == ["--nodata", "--autosave"]


def test_another_pythons_labelme_is_found(ready, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: "/opt/labelme")
    assert opening.command(ready, ["cell"])[0] == "/opt/labelme"


def test_no_labelme_and_no_tile_say_what_to_type(ready, slide, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[labelme\]'"):
        opening.command(ready, ["cell"])
    (ready / "queue/00-00.png").unlink()
    with pytest.raises(UserError, match="no tile to label"):
        opening.command(ready, ["cell"])


def test_a_labelme_that_fails_is_told(ready, monkeypatch):
    monkeypatch.setattr(opening, "_labelme", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(UserError, match="ended with code 3; it needs a screen"):
        opening.open_labelme(ready, ["cell"])


def test_labelme_understands_every_option(ready, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # where it would write its settings
    pytest.importorskip("labelme", exc_type=ImportError)
    parts = opening.command(ready, ["cell"])
    helped = subprocess.run([*parts[:3], "--help"], capture_output=True, text=True, check=True).stdout
    assert [part for part in parts if part.startswith("--") and part not in helped] == []
