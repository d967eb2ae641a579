"""Folders as other programs leave them are read, or the layout that was meant is named."""

import csv
import json

import numpy as np
import pytest
from components import SOURCES

from kerasseg.annotations import coco as coco_files
from kerasseg.annotations import labelme as labelme_files
from kerasseg.annotations import rle
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import Notice, UserError
from kerasseg.images import files

BOX = Shape("cell", np.array([[1.0, 1.0], [3.0, 2.0]]), "rectangle")


def write(path, value=0, size=(4, 6), dtype=np.uint8):
    files.write(path, np.full(size, value, dtype))


def names(source, root, **arguments):
    return [sample.name for sample in SOURCES[source](root, ["cell"], **arguments)]


def messages(source, root, **arguments):
    with pytest.raises(UserError) as raised:
        SOURCES[source](root, ["cell"], **arguments)
    return raised.value.messages


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("{}.png", "{}_labels.tif"),
        ("{}.png", "{}_masks.tif"),
        ("{}.png", "{}_cp_masks.png"),
        ("{}.png", "masks/{}_cp_masks.tif"),
        ("images/{}.tif", "masks/{}.tif"),
        ("images/{}.ome.tif", "labels/{}.png"),
        ("train/images/{} (1).tif", "train/masks/{} (1).tif"),
    ],
)
def test_label_images_of_several_programs_are_found(tmp_path, image, labels):
    for at, name in enumerate("ab", start=1):
        write(tmp_path / image.format(name))
        write(tmp_path / labels.format(name), at)
    samples = SOURCES["instances"](tmp_path, ["cell"])
    assert [sample.image for sample in samples] == [tmp_path / image.format(name) for name in "ab"]
    assert [sample.annotate().labels.max() for sample in samples] == [1, 2]


def test_label_images_lie_where_the_recipe_says_and_never_outside_the_root(tmp_path):
    write(tmp_path / "root/a.png")
    write(tmp_path / "root/masks/a_cp_masks.tif", 7)
    write(tmp_path / "a_labels.tif", 9)
    place = "masks/{stem}_cp_masks"
    (sample,) = SOURCES["instances"](tmp_path / "root", ["cell"], labels=place)
    assert sample.annotate().labels.max() == 7
    outside = messages("instances", tmp_path / "root", labels="../{stem}_labels", images="a")
    assert "no label image ../a_labels.*" in outside[0]
    assert (
        "no label image {of}_labels.*"
        in messages("instances", tmp_path / "root", labels="{of}_labels", images="a")[0]
    )


def test_nothing_above_the_root_is_looked_at(tmp_path):
    write(tmp_path / "other/images/z.png")
    write(tmp_path / "root/images/a.png")
    write(tmp_path / "root/masks/object1.png", 255)
    assert names("instances", tmp_path / "root") == ["."]


def test_label_images_in_two_places_are_refused_until_one_is_chosen(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "a_masks.png", 1)
    write(tmp_path / "a_labels.png", 2)
    (message,) = messages("instances", tmp_path)
    assert "{stem}_labels (1), {stem}_masks (1); set data.source.instances.labels" in message


def test_a_label_image_is_of_one_image_and_an_image_has_one(tmp_path):
    write(tmp_path / "images/a.png")
    write(tmp_path / "images/b.png")
    write(tmp_path / "masks/a.png", 1)
    write(tmp_path / "masks/c.png", 1)
    found = messages("instances", tmp_path)
    assert len(found) == 2
    assert "b.png: there is no label image ../masks/b.*" in found[0]
    assert "c.png: there is no image for this label image" in found[1]


def test_one_folder_of_label_images_makes_them_all_so(tmp_path):
    for part in ("train", "test"):
        write(tmp_path / part / "images/a.png")
        write(tmp_path / part / "masks" / ("a.png" if part == "train" else "lost.png"), 1)
    found = messages("instances", tmp_path)
    assert len(found) == 2
    assert "test/images/a.png: there is no label image" in found[0].replace("\\", "/")


def test_two_images_never_share_a_label_image(tmp_path):
    for folder in ("images", "masks", "labels"):
        write(tmp_path / folder / "a.png", 1)
    (message,) = messages("instances", tmp_path, labels="../labels/{stem}")
    assert "label image of both" in message
    assert names("instances", tmp_path, labels="../labels/{stem}", images="images/*") == ["images/a"]


def test_images_of_one_name_are_never_two_samples(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "a.tif")
    write(tmp_path / "a_labels.png", 1)
    (message,) = messages("instances", tmp_path)
    assert message.startswith(f"{tmp_path / 'a.tif'}: {tmp_path / 'a.png'} has the same name")


def test_samples_whose_predictions_would_be_one_file_are_refused(tmp_path):
    for name in ("a/b", "a__b"):
        write(tmp_path / f"images/{name}.png")
        write(tmp_path / f"masks/{name}.png")
    (message,) = messages("images_masks", tmp_path)
    assert "a__b.png: " in message
    assert "has the same name" in message


@pytest.mark.parametrize("second", ["A.png", "a.tif"])
def test_labelme_and_coco_refuse_two_images_of_one_name(tmp_path, second):
    drawings = [Drawing(name, (4, 6), [BOX]) for name in ("a.png", second)]
    for at, drawing in enumerate(drawings):
        write(tmp_path / "drawn" / drawing.image_path)
        labelme_files.write(tmp_path / f"drawn/{at}.json", drawing)
    coco_files.write(tmp_path / "coco/annotations.json", drawings, ["cell"])
    assert "rename or remove one of them" in messages("labelme", tmp_path / "drawn")[0]
    found = messages("coco", tmp_path / "coco", images="../drawn")
    assert "rename or remove one of them" in found[0]


def test_cellpose_s_drawings_are_no_images(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "a_masks.png", 3)
    for name in ("a_flows.tif", "a_cp_output.png", "a_outlines_cp_masks.png"):
        write(tmp_path / name)
    assert names("instances", tmp_path) == ["a"]


def test_the_files_of_cellpose_are_read(tmp_path):
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint16)
    files.write(tmp_path / "a.png", np.zeros((2, 3), np.uint8))
    np.save(tmp_path / "a_seg.npy", {"masks": labels, "filename": "a.png", "est_diam": np.float64(3)})
    (sample,) = SOURCES["instances"](tmp_path, ["cell"])
    assert sample.annotate().labels.tolist() == labels.tolist()
    write(tmp_path / "a_cp_masks.png", 5, (2, 3))  # what was exported counts
    (sample,) = SOURCES["instances"](tmp_path, ["cell"])
    assert sample.annotate().labels.max() == 5


def table(path, rows, header=("ImageId", "EncodedPixels")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_the_table_of_the_data_science_bowl_counts_column_by_column(tmp_path):
    for name, size in {"a": (3, 4), "b": (2, 2)}.items():
        write(tmp_path / f"stage1_train/{name}/images/{name}.png", size=size)
        write(tmp_path / f"stage1_train/{name}/masks/0f.png", 255, size)
    table(tmp_path / "stage1_train_labels.csv", [("a", "2 2 7 1"), ("a", "10 3"), ("b", "")])
    a, b = SOURCES["sartorius"](tmp_path, ["cell"])
    assert a.annotate().labels.tolist() == [[0, 0, 1, 2], [1, 0, 0, 2], [1, 0, 0, 2]]
    assert (b.name, b.annotate().labels.max()) == ("b", 0)
    labels = a.annotate().labels
    assert rle.encode_labels((labels == 1).astype(int).T)[1] == [2, 2, 7, 1]


def test_sizes_and_suffixes_in_such_a_table_may_be_there(tmp_path):
    write(tmp_path / "a.jpg", size=(2, 3))
    table(tmp_path / "t.csv", [("a.jpg", "1 2", "2", "3")], ("ImageId", "EncodedPixels", "Height", "Width"))
    (sample,) = SOURCES["sartorius"](tmp_path, ["cell"])
    assert sample.annotate().labels.tolist() == [[1, 0, 0], [1, 0, 0]]
    table(tmp_path / "t.csv", [("a.jpg", "1 2", "9", "3")], ("ImageId", "EncodedPixels", "Height", "Width"))
    assert "9 x 3" in messages("sartorius", tmp_path)[0]


def test_of_several_tables_one_is_chosen(tmp_path):
    write(tmp_path / "a.png")
    for name in ("x.csv", "y.csv"):
        table(tmp_path / name, [("a", "1 2")])
    assert "x.csv, y.csv hold run lengths" in messages("sartorius", tmp_path)[0]
    assert names("sartorius", tmp_path, table="y.csv") == ["a"]


def test_images_that_a_coco_file_does_not_list_are_counted_and_left_alone(tmp_path):
    for name in "abc":
        write(tmp_path / f"images/{name}.png")
    for part, listed in {"train": "ab", "val": "c"}.items():
        drawings = [Drawing(f"{name}.png", (4, 6), [BOX]) for name in listed]
        coco_files.write(tmp_path / f"{part}.json", drawings, ["cell"])
    with pytest.warns(Notice, match=r"left alone: 1 image that train\.json does not list \(c\.png\)"):
        assert names("coco", tmp_path, annotations="train.json", images="images") == ["a", "b"]


def test_the_folder_of_a_coco_file_s_images_is_named(tmp_path):
    write(tmp_path / "images/train/a.png")
    coco_files.write(tmp_path / "annotations.json", [Drawing("a.png", (4, 6), [BOX])], ["cell"])
    (tmp_path / "other").mkdir()
    found = messages("coco", tmp_path, images="other")
    assert "set data.source.coco.images to images/train" in found[-1]


def test_masks_of_cvat_have_the_colours_of_its_label_map(tmp_path):
    write(tmp_path / "JPEGImages/a.png", size=(1, 3))
    colours = np.array([[[0, 0, 0], [250, 50, 83], [51, 221, 255]]], np.uint8)
    files.write(tmp_path / "SegmentationClass/a.png", colours)
    lines = [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "cell:250,50,83::",
        "debris:51,221,255::",
    ]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    where = {"images": "JPEGImages", "masks": "SegmentationClass"}
    (sample,) = SOURCES["images_masks"](tmp_path, ["debris", "cell"], **where)
    assert sample.annotate().mask.tolist() == [[0, 2, 1]]
    with pytest.raises(UserError, match=r"unknown class 'cel'.*did you mean 'cell'"):
        SOURCES["images_masks"](tmp_path, ["cel"], **where)
    assert "{images: JPEGImages, masks: SegmentationClass}" in messages("images_masks", tmp_path)[0]


def test_a_file_is_never_called_a_folder_that_is_missing(tmp_path):
    write(tmp_path / "mask.tif")
    write(tmp_path / "images/a.tif")
    assert "mask.tif: this is a file" in messages("images_masks", tmp_path / "mask.tif")[0]
    assert "mask.tif: this is a file" in messages("images_masks", tmp_path, masks="mask.tif")[0]
    assert "mask.tif: this is a file" in messages("volumes", tmp_path, masks="mask.tif")[0]


def test_the_layout_that_was_meant_is_named(tmp_path):
    write(tmp_path / "stardist/images/a.png")
    files.write(tmp_path / "stardist/masks/a.png", np.arange(24, dtype=np.uint8).reshape(4, 6))
    write(tmp_path / "semantic/images/a.png")
    write(tmp_path / "semantic/masks/a.png", 255)
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco/_a.json").write_text(json.dumps({"images": [], "annotations": []}))
    write(tmp_path / "suffixed/a.png")
    write(tmp_path / "suffixed/a_cp_masks.png")
    table(tmp_path / "stardist/unrelated.csv", [], ("name", "value"))
    hints = {
        ("labelme", "stardist"): "look like label images of objects: use source: instances",
        ("labelme", "semantic"): "images and masks of classes: use source: images_masks",
        ("labelme", "coco"): "_a.json looks like a COCO file: use source: coco {annotations: _a.json}",
        ("coco", "coco"): "_a.json looks like a COCO file: set {annotations: _a.json}",
        (
            "images_masks",
            "suffixed",
        ): "there are label images {stem}_cp_masks beside images: use source: instances",
        ("sartorius", "semantic"): "use source: images_masks",
    }
    for (source, folder), hint in hints.items():
        assert hint in messages(source, tmp_path / folder)[-1]
    assert "there are images, masks" in messages("images_masks", tmp_path / "semantic", masks="truth")[0]
