"""Images of one class as a whole: files in folders, and arrays of many."""

import numpy as np
import pytest
from components import SOURCES

from kerasseg.data.sources.whole_images import whole_images
from kerasseg.errors import UserError
from kerasseg.images import files

DIGITS = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)


def test_files_and_arrays_are_samples_beside_each_other(tmp_path):
    files.write(tmp_path / "fields" / "a.png", DIGITS[0])
    np.savez(tmp_path / "mnist.npz", images=DIGITS, labels=[7, 3])
    samples = whole_images(tmp_path, ["point"])
    assert [sample.name for sample in samples] == ["fields/a", "mnist/00000", "mnist/00001"]
    assert samples[2].attributes == {"folder": ".", "file": "mnist"}
    for sample, image in zip(samples, DIGITS[[0, 0, 1]], strict=True):
        np.testing.assert_array_equal(sample.read()[..., 0], image)
        assert not sample.annotate().mask.any()


def test_the_whole_image_is_of_the_class_of_its_label(tmp_path):
    np.savez(tmp_path / "mnist.npz", images=DIGITS, labels=[7, 3])
    three, seven = whole_images(tmp_path, ["3", "7"], class_from="label")[::-1]
    assert np.unique(seven.annotate().mask).tolist() == [2]
    assert np.unique(three.annotate().mask).tolist() == [1]


def test_the_whole_image_is_of_the_class_that_its_folder_names(tmp_path):
    for folder in ("actin", "golgi"):
        files.write(tmp_path / folder / "a.png", DIGITS[0])
    samples = whole_images(tmp_path, ["golgi", "actin"], class_from="folder")
    assert [int(sample.annotate().mask[0, 0]) for sample in samples] == [2, 1]


def test_labels_lie_in_a_file_beside_or_under_names_of_their_own(tmp_path):
    np.savez(tmp_path / "k.npz", x_train=DIGITS, y_train=[1, 2], x_test=DIGITS[:1], y_test=[9])
    header = b"\0\0\x08\x03" + np.array(DIGITS.shape, ">u4").tobytes()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(header + DIGITS.tobytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\x05\x06")
    classes = ["1", "2", "5", "6", "9"]
    samples = whole_images(tmp_path, classes, class_from="label")
    assert {sample.name: classes[sample.annotate().mask[0, 0] - 1] for sample in samples} == {
        "k/x_train/00000": "1",
        "k/x_train/00001": "2",
        "k/x_test/00000": "9",
        "t10k-images-idx3-ubyte/00000": "5",
        "t10k-images-idx3-ubyte/00001": "6",
    }


def test_colours_stay_red_first(tmp_path):
    coloured = np.zeros((1, 2, 2, 3), np.uint8)
    coloured[..., 0] = 200
    np.savez(tmp_path / "c.npz", images=coloured)
    np.testing.assert_array_equal(whole_images(tmp_path, ["point"])[0].read(), coloured[0])


def test_all_mistakes_are_told(tmp_path):
    np.savez(tmp_path / "a.npz", images=DIGITS, labels=[7, 3])
    np.savez(tmp_path / "b.npz", images=DIGITS.astype(float))
    with pytest.raises(UserError) as error:
        whole_images(tmp_path, ["7"], class_from="label")
    assert "b.npz: images is float64 of shape (2, 4, 4); expected uint8" in str(error.value)
    assert "unknown class '3'" in str(error.value)


def test_another_source_points_here(tmp_path):
    np.savez(tmp_path / "mnist.npz", images=DIGITS)
    with pytest.raises(UserError, match="such as MNIST's: use source: whole_images"):
        SOURCES["images_masks"](root=tmp_path, classes=["cell"])
