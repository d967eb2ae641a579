"""Mask files: numbers of classes, palettes, colours, and what CVAT says of these."""

import cv2
import imageio
import numpy as np
import pytest
import skimage
from PIL import Image

from kerasseg.annotations import label_images, masks
from kerasseg.errors import UserError
from kerasseg.images import files


def _saved(path, values, dtype=np.uint8):
    files.write(path, np.array(values, dtype))
    return path


def read(path, classes, **how):
    """Read a mask that is all there is of its set."""
    return masks.read_mask(path, masks.meaning_of([path], classes, **how))


def test_class_ids_and_ignore(tmp_path):
    path = _saved(tmp_path / "a.png", [[0, 1, 2, 255]])
    assert read(path, ["cell", "nucleus"]).tolist() == [[0, 1, 2, 255]]


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_one_class_may_be_the_types_largest_value(tmp_path, dtype, top):
    path = _saved(tmp_path / "a.png", [[0, top]], dtype)
    assert read(path, ["cell"]).tolist() == [[0, 1]]


def test_beside_class_ids_255_is_ignore_even_with_one_class(tmp_path):
    path = _saved(tmp_path / "a.png", [[0, 1, 255]])
    assert read(path, ["cell"]).tolist() == [[0, 1, 255]]


def test_one_bit_masks(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", ["cell"]).tolist() == [[1, 0]]


def test_grey_saved_as_colours(tmp_path):
    path = _saved(tmp_path / "a.png", [[[0, 0, 0, 255], [255, 255, 255, 255]]])
    assert read(path, ["cell"]).tolist() == [[0, 1]]


def test_what_is_drawn_as_transparency_is_not_called_colours(tmp_path):
    path = _saved(tmp_path / "a.png", [[[0, 0, 0, 255], [0, 0, 0, 0]]])
    with pytest.raises(UserError, match=r"a\.png: the mask's transparency differs from pixel to pixel"):
        read(path, ["cell"])


def test_a_float_mask_with_nan_is_not_called_colours(tmp_path):
    path = _saved(tmp_path / "a.tif", [[0, 1, np.nan]], np.float32)
    with pytest.raises(UserError, match=r"a\.tif: the mask holds NaN; expected whole numbers"):
        read(path, ["cell"])


def test_written_masks_are_read_back_by_us_and_by_other_programs(tmp_path):
    mask = np.array([[0, 1, 2, 255], [0, 0, 0, 255]], np.uint8)
    masks.write_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read(tmp_path / "m.png", ["cell", "nucleus"]), mask)
    for program in (
        imageio.v3.imread,
        skimage.io.imread,
        lambda path: cv2.imread(path, cv2.IMREAD_UNCHANGED),
    ):
        np.testing.assert_array_equal(program(tmp_path / "m.png"), mask)


def test_ignored_pixels_of_a_written_mask_are_not_taken_for_the_class(tmp_path):
    mask = np.array([[0, 255]], np.uint8)
    masks.write_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read(tmp_path / "m.png", ["cell"]), mask)


def test_a_palette_of_ignored_pixels_is_not_taken_for_the_class(tmp_path):
    mask = np.array([[0, 255]], np.uint8)
    image = Image.fromarray(mask)
    image.putpalette(masks.palette().tobytes())
    image.save(tmp_path / "m.png")
    assert np.array_equal(read(tmp_path / "m.png", ["cell"]), mask)


def test_values_that_are_no_class_are_named_with_the_file(tmp_path):
    path = _saved(tmp_path / "a.png", [[0, 1, 2, 3, 7]])
    with pytest.raises(
        UserError, match=r"a\.png: the mask holds 3, 7, .*0 \(background\), 1 \(cell\), 2 \(dead\)"
    ):
        read(path, ["cell", "dead"])


def test_colours(tmp_path):
    path = _saved(tmp_path / "a.png", [[[0, 0, 0], [255, 0, 0], [0, 0, 9], [1, 2, 3]]])
    colours = {"dead": [0, 0, 9], "cell": [255, 0, 0], "ignore": [1, 2, 3]}
    assert masks.read_colours(path, ["cell", "dead"], colours).tolist() == [[0, 1, 2, 255]]


def test_colours_that_are_no_class_are_named(tmp_path):
    path = _saved(tmp_path / "a.png", [[[0, 0, 0], [9, 8, 7]]])
    with pytest.raises(UserError, match=r"a\.png.*\[9, 8, 7\].*cell \[255, 0, 0\]"):
        masks.read_colours(path, ["cell"], {"cell": [255, 0, 0]})
    with pytest.raises(UserError, match="did you mean 'cell'"):
        masks.read_colours(path, ["cell"], {"cel": [255, 0, 0]})
    with pytest.raises(UserError, match="the mask has colours"):
        read(path, ["cell"])


@pytest.mark.parametrize(("name", "top"), [("a.png", 40_000), ("a.tif", 2**31 - 1)])
def test_labels_come_back(tmp_path, name, top):
    labels = np.array([[0, 1], [top, 2]], np.int32)
    label_images.write_labels(tmp_path / name, labels)
    assert np.array_equal(label_images.read_labels(tmp_path / name), labels)
    assert label_images.read_labels(tmp_path / name).dtype == np.int32


def test_labels_that_do_not_fit(tmp_path):
    with pytest.raises(UserError, match="70000 instances do not fit into a PNG"):
        label_images.write_labels(tmp_path / "a.png", np.array([[70_000]]))
    files.write(tmp_path / "f.tif", np.array([[0.5]], np.float32))
    with pytest.raises(UserError, match="whole instance ids"):
        label_images.read_labels(tmp_path / "f.tif")


def test_ids_beyond_32_bits_are_refused_and_the_largest_is_told():
    labels = np.array([[0, 4_000_000_000]], np.uint32)
    with pytest.raises(UserError, match=r"a: values .* from 0, the background, to 2147483647\. Larger ids"):
        label_images.as_labels(labels, "a")


def test_real_label_images(shared_data):
    path = next((shared_data / "phase_usiigaci").rglob("instances_ids.png"))
    labels = label_images.read_labels(path)
    assert labels.shape == (1022, 1024)
    assert len(np.unique(labels)) > 50


def test_colours_of_classes(tmp_path):
    path = tmp_path / "labelmap.txt"
    path.write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\n\nbig cell:250,50,83:nucleus,body:divides\n"
    )
    assert masks.read_label_map(path) == {"background": (0, 0, 0), "big cell": (250, 50, 83)}


@pytest.mark.parametrize("line", ["cell", "cell:1,2", "cell:1,2,256::", "cell:red"])
def test_a_line_of_something_else_is_named(tmp_path, line):
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{line}\n")
    with pytest.raises(UserError, match=r"labelmap\.txt: line 2"):
        masks.read_label_map(tmp_path / "labelmap.txt")
