"""What the verb takes for an image: files, stores, planes of a volume, and folders of them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasseg.commands.batch import check_folder, images_in
from kerasseg.commands.predict import _results
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.inference.resume import record


def names(images, axes=None):
    return [str(name) for _, name in images_in(images, axes)]


@pytest.fixture
def planes(tmp_path):
    for at in range(3):
        files.write(tmp_path / "cells.v1" / f"{at}.png", np.zeros((4, 5), np.uint8))
    return tmp_path / "cells.v1"


def test_planes_are_one_volume_where_the_axes_say_so(planes):
    assert names(planes) == names(planes, "YX") == ["0", "1", "2"]
    assert list(images_in(planes, "zyx")) == [(planes, Path("cells.v1"))]


def test_a_folder_of_stacks_stays_one(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint8))
    assert names(tmp_path, "ZYX") == ["a"]


def test_stores_are_images(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "ovule.h5", "w") as file:
        file["raw/0"] = np.zeros((3, 4, 5), np.uint8)
    (tmp_path / "sub" / "b.ome.zarr").mkdir(parents=True)
    assert names(tmp_path) == ["ovule", "sub/b"]
    assert names(tmp_path / "ovule.h5") == ["ovule"]
    assert names(Path(f"{tmp_path / 'ovule.h5'}:raw/0")) == ["ovule.raw.0"]


def test_a_well_of_a_plate_is_one_image_however_it_is_typed(tmp_path):
    well = tmp_path / "plate.zarr/B/03/0"
    (well / "0").mkdir(parents=True)
    (well / ".zgroup").touch()
    assert list(images_in(well, None)) == [(well, Path("0"))]
    assert names(Path(f"{tmp_path / 'plate.zarr'}:B/03/0")) == ["plate.B.03.0"]


def test_microscopes_files_are_images(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "b.oif").touch()
    files.write(tmp_path / "b.oif.files" / "s_C001.tif", np.zeros((4, 5), np.uint8))
    (tmp_path / "c.CZI").touch()
    assert names(tmp_path) == ["a", "b", "c"]  # a plane of an OIF is no image of its own
    assert names(Path(f"{tmp_path / 'c.CZI'}:left side,t=3")) == ["c.left.side.t=3"]


def test_nothing_to_predict_is_told(tmp_path):
    with pytest.raises(UserError, match=r"there is no image here; expected .*\.zarr"):
        names(tmp_path)


def write(folder, *given):
    for name in given:
        files.write(folder / name, np.zeros((4, 5), np.uint8))


def test_images_of_one_name_have_two_results(tmp_path):
    write(tmp_path, "a.png", "a.tif", "b.png")
    assert names(tmp_path) == ["a.png", "a.tif", "b"]
    results = _results(tmp_path, tmp_path / "out", None, ".mask.png")
    assert {path.name for path in results.values()} == {"a.png.mask.png", "a.tif.mask.png", "b.mask.png"}


def test_names_that_differ_by_capitals_are_refused_before_anything_is_written(tmp_path):
    write(tmp_path, "a.png", "A.png")
    with pytest.raises(UserError, match="rename or remove one of them"):
        names(tmp_path)


def test_linked_folders_are_predicted(tmp_path):
    write(tmp_path / "elsewhere", "c.png")
    write(tmp_path / "in", "a.png")
    (tmp_path / "in/plate").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "in") == ["a", "plate/c"]


def test_earlier_results_are_no_images(tmp_path):
    write(tmp_path, "a.png", "out/a.mask.png")
    record(tmp_path / "out/a.mask.png", {})
    assert names(tmp_path) == ["a"]
    with pytest.raises(UserError, match="there are only results of earlier predictions here"):
        names(tmp_path / "out")


def test_results_go_into_a_folder_and_never_under_the_name_of_a_file(tmp_path):
    (tmp_path / "there").touch()
    for name in ("there", "new.png", "new.ome.tif", "new.geojson", "new.zarr"):
        with pytest.raises(UserError, match="this is the name of a file; name a folder"):
            check_folder(tmp_path / name)
    (tmp_path / "folder.tif").mkdir()
    for name in ("folder.tif", "new", "cells.v1.5"):
        check_folder(tmp_path / name)


def test_a_result_never_takes_the_place_of_an_image_or_of_the_record(tmp_path):
    write(tmp_path, "a.png", "a.mask.png")
    with pytest.raises(UserError, match=r"a\.png: its result would be .*a\.mask\.png, which is in use"):
        _results(tmp_path, tmp_path, None, ".mask.png")
    write(tmp_path / "in", "predictions.png")
    with pytest.raises(UserError, match=r"predictions\.json, which is in use"):
        _results(tmp_path / "in", tmp_path / "out", None, ".json")
