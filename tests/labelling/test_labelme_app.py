"""labelme is opened with what it understands, or it is said how to get it; it is shown 8 bits."""

import subprocess
import sys

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import folder, labelme_app
from kerasseg.labelling.proposals import unproposed


@pytest.fixture
def ready(selected):
    unproposed(selected, ["00-00"])
    return selected


def test_labelme_is_given_the_folder_and_the_labels(ready, monkeypatch):
    monkeypatch.setattr(labelme_app, "find_spec", lambda _: object())
    monkeypatch.setattr(labelme_app, "version", lambda _: "6.3.1")
    assert labelme_app.command(ready, ["cell", "debris"]) == [
        *(sys.executable, "-m", "labelme", str(ready / "queue")),
        *("--labels", "cell,debris,__ignore__", "--validate-label", "exact"),
    ]


def test_older_versions_are_told_to_save_by_themselves_and_no_pixels(ready, monkeypatch):
    monkeypatch.setattr(labelme_app, "find_spec", lambda _: object())
    monkeypatch.setattr(labelme_app, "version", lambda _: "5.10.1")
    assert labelme_app.command(ready, ["cell"])[-2:] == ["--nodata", "--autosave"]


def test_another_pythons_labelme_is_found(ready, monkeypatch):
    monkeypatch.setattr(labelme_app, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: "/opt/labelme")
    assert labelme_app.command(ready, ["cell"])[0] == "/opt/labelme"


def test_no_labelme_and_no_tile_say_what_to_type(ready, slide, monkeypatch):
    monkeypatch.setattr(labelme_app, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[labelme\]'"):
        labelme_app.command(ready, ["cell"])
    (ready / "queue/00-00.png").unlink()
    with pytest.raises(UserError, match="no tile to label"):
        labelme_app.command(ready, ["cell"])


def test_a_labelme_that_fails_is_told(ready, monkeypatch):
    monkeypatch.setattr(labelme_app, "_labelme", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(UserError, match="ended with code 3; it needs a screen"):
        labelme_app.open_labelme(ready, ["cell"])


def test_labelme_understands_every_option(ready, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # where it would write its settings
    pytest.importorskip("labelme", exc_type=ImportError)
    parts = labelme_app.command(ready, ["cell"])
    helped = subprocess.run([*parts[:3], "--help"], capture_output=True, text=True, check=True).stdout
    assert [part for part in parts if part.startswith("--") and part not in helped] == []


def test_deep_tiles_are_shown_by_one_scale(selected):
    limits = labelme_app.scale(selected)  # the fixture's tiles: mean 0.1, deviation 0.2
    assert limits == pytest.approx((0, 0.7))
    image = np.array([[[0], [26214], [45875], [65535]]], np.uint16)  # 0, 0.4, 0.7 and 1
    assert labelme_app.as_shown(image, limits)[0, :, 0].tolist() == [0, 146, 255, 255]
    assert labelme_app.as_shown(np.full((1, 1, 1), 0.4, np.float32), limits)[0, 0, 0] == 146
    (selected / "tiles/00-00.png").unlink()
    files.write(selected / "tiles/00-00.tif", image)
    unproposed(selected, ["00-00"])
    assert files.read(folder.view_path(selected, "00-00")).dtype == np.uint8


def test_channels_are_shown_as_colours():
    image = np.arange(10, dtype=np.uint8).reshape(1, 2, 5)
    assert labelme_app.as_shown(image, (0, 1)).tolist() == [[[0, 1, 2], [5, 6, 7]]]
    assert labelme_app.as_shown(image[..., :2], (0, 1)).tolist() == [[[0, 1, 0], [5, 6, 0]]]


def test_a_copy_stands_in_where_links_are_not_possible(selected, monkeypatch):
    def refused(*_):
        raise OSError

    monkeypatch.setattr("os.link", refused)
    unproposed(selected, ["00-00"])
    assert np.array_equal(
        files.read(folder.view_path(selected, "00-00")), files.read(selected / "tiles/00-00.png")
    )
