"""Masks and labels of any program against the true ones."""

import h5py
import numpy as np
import pytest
import tifffile

from kerasseg.commands.evaluate_files import evaluate_files, lines
from kerasseg.errors import UserError
from kerasseg.images import files

TRUE = np.array([[1, 1, 0, 2], [0, 0, 255, 2]], np.uint8)
FOUND = np.array([[1, 0, 0, 2], [0, 0, 1, 2]], np.uint8)


def write(folder, **images):
    for name, pixels in images.items():
        files.write(folder / f"{name}.png", pixels)
    return folder


def test_masks_are_scored_by_class_and_ignored_pixels_do_not_count(tmp_path):
    found, truth = tmp_path / "found", tmp_path / "truth"
    files.write(found / "a.mask.png", FOUND)
    scores = evaluate_files(found, write(truth, a=TRUE))
    assert scores["classes"]["class 1"]["dice"] == pytest.approx(2 / 3)
    assert scores["classes"]["class 2"]["dice"] == 1
    assert scores["averages"]["f1_micro"] == pytest.approx(6 / 7)
    assert lines(scores)[0].startswith("class 1: Dice 0.6667")


def test_labels_are_matched_object_by_object_whatever_their_numbers(tmp_path):
    labels = np.zeros((9, 9), np.uint16)
    labels[1:4, 1:4], labels[5:8, 5:8] = 1, 2
    found = np.where(labels == 1, 700, 0).astype(np.uint16)
    files.write(tmp_path / "found" / "a.labels.png", found)
    scores = evaluate_files(tmp_path / "found", write(tmp_path / "truth", a_cp_masks=labels))
    assert (scores["objects"]["true_objects"], scores["objects"]["predicted_objects"]) == (2, 1)
    assert scores["objects"]["pq"] == pytest.approx(2 / 3)
    assert "1 objects for 2 true ones" in lines(scores)[0]


def test_volumes_and_single_files_are_scored(tmp_path):
    volume = np.stack([TRUE, TRUE])
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", volume, metadata={"axes": "ZYX"})
    scores = evaluate_files(tmp_path / "a.tif", tmp_path / "b.tif", kind="mask")
    assert scores["classes"]["class 1"]["dice"] == 1


def test_every_file_without_a_counterpart_is_named(tmp_path):
    found = write(tmp_path / "found", a=FOUND, b=FOUND)
    with pytest.raises(UserError) as refused:
        evaluate_files(found, write(tmp_path / "truth", a=TRUE, c=TRUE))
    assert len(refused.value.messages) == 2
    assert "b.png" in refused.value.messages[0]
    assert "c.png" in refused.value.messages[1]


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (TRUE[:1], "differ in size: 2x4 and 1x4"),
        (np.full((2, 4), 300, np.uint16), "expected class ids from 0 to 255; .* --what labels"),
        (np.zeros((2, 4, 3), np.uint8), "3 channels; expected one number"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, pixels, message):
    with pytest.raises(UserError, match=message):
        evaluate_files(write(tmp_path / "found", a=FOUND), write(tmp_path / "truth", a=pixels))


def test_two_results_of_one_image_are_refused(tmp_path):
    found = write(tmp_path / "found", a_mask=FOUND, a_label=FOUND)
    with pytest.raises(UserError, match="belongs to the image a too"):
        evaluate_files(found, write(tmp_path / "truth", a=TRUE))


def test_only_background_has_no_score(tmp_path):
    empty = np.zeros((2, 4), np.uint8)
    with pytest.raises(UserError, match="there is only background"):
        evaluate_files(write(tmp_path / "found", a=empty), write(tmp_path / "truth", a=empty))


def test_masks_in_zarr_and_hdf5_are_scored(tmp_path):
    zarr = pytest.importorskip("zarr", reason="masks in Zarr are read with the package zarr")
    truth = write(tmp_path / "truth", a=TRUE, b=TRUE)
    (tmp_path / "found").mkdir()
    zarr.create_array(str(tmp_path / "found/a.zarr"), data=FOUND, dimension_names=["y", "x"])
    with h5py.File(tmp_path / "found/b.h5", "w") as file:
        file["mask"] = FOUND
    scores = evaluate_files(tmp_path / "found", truth)
    assert scores["images"] == 2
    assert scores["classes"]["class 1"]["dice"] == pytest.approx(2 / 3)


def test_images_may_hold_different_classes(tmp_path):
    ones = np.minimum(TRUE, 1)
    truth = write(tmp_path / "truth", a=TRUE, b=ones)
    assert evaluate_files(write(tmp_path / "found", a=TRUE, b=ones), truth)["averages"]["f1_macro"] == 1
