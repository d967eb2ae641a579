"""How an image inside a file is named, and what it is recognised by."""

from pathlib import Path

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores import address
from kerasseg.images.stores.address import file_signature


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("a/cells.h5", ("a/cells.h5", None)),
        ("a/cells.HDF5:raw", ("a/cells.HDF5", "raw")),
        ("C:/data/cells.h5", ("C:/data/cells.h5", None)),
        ("C:/data/cells.h5:volumes/raw", ("C:/data/cells.h5", "volumes/raw")),
        ("a.h5/cells.tif", ("a.h5/cells.tif", None)),
        ("cells.npy:raw", ("cells.npy:raw", None)),
        ("cells.tif:t=3", ("cells.tif", "t=3")),
        ("a/run.nd2:P1,t=3", ("a/run.nd2", "P1,t=3")),
        ("brain.nii.gz:t=0", ("brain.nii.gz", "t=0")),
    ],
)
def test_what_is_typed_is_parted_at_the_colon_after_the_suffix(typed, expected):
    assert address.parted(Path(typed)) == (Path(expected[0]), expected[1])


def test_a_file_of_that_very_name_is_taken_first(tmp_path):
    (tmp_path / "cells.h5:raw").write_bytes(b"")
    assert address.parted(tmp_path / "cells.h5:raw") == (tmp_path / "cells.h5:raw", None)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (None, (None, None)),
        ("volumes/raw", ("volumes/raw", None)),
        ("t=3", (None, 3)),
        ("Scene 2,t=3", ("Scene 2", 3)),
        ("a,b", ("a,b", None)),
    ],
)
def test_a_name_and_a_point_of_time_are_told_apart(typed, expected):
    assert address.inside(typed) == expected


def test_a_folder_of_planes_is_known_by_its_files(tmp_path):
    folder = tmp_path / "planes"
    for at in range(3):
        files.write(folder / f"{at}.png", np.full((4, 5), at, np.uint8))
    before = file_signature(folder)
    assert before["bytes"] > sum(path.stat().st_size for path in folder.iterdir()) - 1
    files.write(folder / "1.png", np.eye(4, 5, dtype=np.uint8))
    assert file_signature(folder) != before


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "dangling.tif").symlink_to("nowhere.tif")
    with pytest.raises(UserError, match=r"dangling.tif: there is a link to nowhere.tif, where nothing is"):
        file_signature(tmp_path / "dangling.tif")
    with pytest.raises(UserError, match=r"none.tif: there is no such file"):
        file_signature(tmp_path / "none.tif")
