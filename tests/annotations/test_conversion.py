"""All ways between the formats, there and back."""

import itertools
import json

import numpy as np
import pytest

from kerasseg.annotations import coco, label_images, labelme, masks
from kerasseg.annotations.conversion import convert
from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.formats import FORMATS
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.annotations.trace import mask_shapes
from kerasseg.annotations.values import class_ids
from kerasseg.errors import UserError
from kerasseg.images import files

MASK = np.zeros((12, 16), np.uint8)
MASK[1:6, 1:6], MASK[3, 3] = 1, 0  # a ring
MASK[7:11, 4:9] = 2
MASK[2:5, 10:14] = 1
CLASSES = ["cell", "dead"]
IDS = class_ids(2)


@pytest.fixture
def source(tmp_path):
    """Two masks, one in a folder of its own."""
    masks.write_mask(tmp_path / "masks" / "a.png", MASK)
    masks.write_mask(tmp_path / "masks" / "deep" / "b.png", MASK[::-1])
    return tmp_path / "masks"


@pytest.mark.parametrize("between", ["labelme", "coco", "geojson", "imagej"])
def test_masks_there_and_back(tmp_path, source, between):
    convert("masks", between, source, tmp_path / "there", classes=CLASSES, tolerance=0)
    report = convert(between, "masks", tmp_path / "there", tmp_path / "back", classes=CLASSES)
    assert np.array_equal(masks.read_mask(tmp_path / "back" / "a.png", IDS), MASK)
    assert np.array_equal(masks.read_mask(tmp_path / "back" / "deep" / "b.png", IDS), MASK[::-1])
    assert (report.images, report.classes, len(report.files)) == (2, CLASSES, 2)


def test_every_pair_of_formats_keeps_the_pixels(tmp_path):
    masks.write_mask(tmp_path / "masks" / "a.png", MASK)
    folders = {"masks": tmp_path / "masks"}
    for name in ("labelme", "labels", "coco", "rle", "geojson", "imagej"):
        folders[name] = tmp_path / name
        convert("masks", name, folders["masks"], folders[name], classes=CLASSES, tolerance=0)
    for read_as, write_as in itertools.permutations(FORMATS, 2):
        target = tmp_path / f"{read_as}_{write_as}"
        convert(read_as, write_as, folders[read_as], target, classes=CLASSES, tolerance=0)
        if write_as != "masks":
            convert(write_as, "masks", target, target / "m", classes=CLASSES)
        mask = masks.read_mask((target if write_as == "masks" else target / "m") / "a.png", IDS)
        named = "labels" not in (read_as, write_as)
        assert np.array_equal(mask if named else mask > 0, MASK if named else MASK > 0), (read_as, write_as)


def test_the_loss_of_outlines_is_measured_and_said(tmp_path):
    y, x = np.mgrid[:60, :60]
    disc = (np.hypot(x - 30, y - 30) < 20).astype(np.uint8)
    masks.write_mask(tmp_path / "masks" / "disc.png", disc)
    report = convert("masks", "labelme", tmp_path / "masks", tmp_path / "out", classes=["cell"], tolerance=3)
    drawing = labelme.read(tmp_path / "out" / "disc.json")
    back = draw_mask(drawing.shapes, drawing.size, ["cell"])
    assert report.agreement["disc"] == pytest.approx((back & disc).sum() / (back | disc).sum())
    assert 0.8 < report.agreement["disc"] < 1
    assert f"IoU {report.agreement['disc']:.4f}" in str(report)
    assert "1 file for labelme without the image beside" in str(report)
    report.without_image.append("another")
    assert "2 files for labelme without the image beside" in str(report)


def test_a_folder_that_is_not_there_is_told_before_classes_are_asked_for(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: there is no such file or folder"):
        convert("labels", "coco", tmp_path / "nowhere", tmp_path / "out")


def test_json_files_name_the_image_beside_them_and_labelme_opens_them(tmp_path, source):
    peer = pytest.importorskip("labelme", reason="labelme is not installed", exc_type=ImportError)
    images = tmp_path / "images"
    for name in ("a.jpg", "deep/b.png"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        files.write(images / name, np.zeros((12, 16), np.uint8))
    report = convert("masks", "labelme", source, images, classes=CLASSES)
    assert report.without_image == []
    assert peer.LabelFile(str(images / "a.json")).image_path == "a.jpg"
    assert peer.LabelFile(str(images / "deep" / "b.json")).image_path == "b.png"
    convert("labelme", "coco", images, tmp_path / "c.json")
    named = [image["file_name"] for image in json.loads((tmp_path / "c.json").read_text())["images"]]
    assert named == ["a.jpg", "deep/b.png"]


def test_an_image_of_another_size_is_refused(tmp_path, source):
    files.write(tmp_path / "images" / "a.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(UserError, match=r"a\.png: the image is \(5, 5\).*its annotation \(12, 16\)"):
        convert("masks", "labelme", source, tmp_path / "images", classes=CLASSES)
    assert len(list((tmp_path / "images").iterdir())) == 1


@pytest.mark.parametrize("between", ["labelme", "masks", "geojson", "imagej"])
def test_crowds_stay_crowds_where_the_format_can_hold_them(tmp_path, between):
    cell, crowd = (np.kron(np.eye(2, dtype=np.uint8)[[at]], np.ones((5, 3), np.uint8)) for at in (0, 1))
    shapes = [*mask_shapes(cell, ["cell"]), *mask_shapes(crowd, ["cell"])]
    shapes[1].other["iscrowd"] = 1
    coco.write(tmp_path / "c.json", [Drawing("a.png", (5, 6), shapes)], ["cell"])
    convert("coco", between, tmp_path / "c.json", tmp_path / between, tolerance=0)
    convert(between, "coco", tmp_path / between, tmp_path / "back.json", classes=["cell"])
    (drawing,) = coco.read(tmp_path / "back.json")
    assert draw_mask(drawing.shapes, (5, 6), ["cell"]).tolist() == [[1, 1, 1, 255, 255, 255]] * 5
    assert sorted(shape.is_crowd for shape in drawing.shapes) == [False, True]


def test_crowds_are_told_and_may_be_objects(tmp_path):
    shapes = mask_shapes(np.array([[1, 0, 1]], np.uint8), ["cell"])
    shapes[0].other["iscrowd"] = 1
    coco.write(tmp_path / "c.json", [Drawing("a.png", (1, 3), shapes)], ["cell"])
    report = convert("coco", "masks", tmp_path / "c.json", tmp_path / "ignored")
    assert "crowds: 1 of 2 shapes are taken for regions to ignore" in str(report)
    assert masks.read_mask(tmp_path / "ignored" / "a.png", IDS).tolist() == [[255, 0, 1]]
    report = convert("coco", "masks", tmp_path / "c.json", tmp_path / "objects", crowds="objects")
    assert "crowds" not in str(report)
    assert masks.read_mask(tmp_path / "objects" / "a.png", IDS).tolist() == [[1, 0, 1]]


def test_labelme_s_own_labels_are_no_classes_where_a_coco_file_lists_them(tmp_path):
    coco.write(tmp_path / "c.json", [Drawing("a.png", MASK.shape, mask_shapes(MASK, CLASSES))], CLASSES)
    document = json.loads((tmp_path / "c.json").read_text())
    document["categories"].insert(0, {"id": 0, "name": "_background_"})  # as labelme's labelme2coco.py does
    (tmp_path / "c.json").write_text(json.dumps(document))
    report = convert("coco", "masks", tmp_path / "c.json", tmp_path / "masks")
    assert report.classes == CLASSES
    assert np.array_equal(masks.read_mask(tmp_path / "masks" / "a.png", IDS), MASK)


@pytest.mark.parametrize("write_as", ["labels", "rle"])
def test_crowds_are_left_out_and_told_where_the_format_cannot_hold_them(tmp_path, write_as):
    mask = np.array([[1, 1, 0, 255]], np.uint8)
    masks.write_mask(tmp_path / "masks" / "a.png", mask)
    report = convert("masks", write_as, tmp_path / "masks", tmp_path / "out", classes=["cell", "dead"])
    assert "left out: 1 crowd or region to ignore" in str(report)
    convert(write_as, "masks", tmp_path / "out", tmp_path / "back", classes=["cell", "dead"])
    assert masks.read_mask(tmp_path / "back" / "a.png", IDS).tolist() == [[1, 1, 0, 0]]


def test_several_things_that_are_left_out_are_told_in_good_english(tmp_path):
    for name in "ab":
        masks.write_mask(tmp_path / "masks" / f"{name}.png", np.array([[1, 0, 2, 0, 255]], np.uint8))
    report = convert("masks", "labels", tmp_path / "masks", tmp_path / "out", classes=CLASSES)
    assert "left out: 2 crowds or regions to ignore, 2 class names" in str(report)


@pytest.mark.parametrize("write_as", ["labels", "rle"])
def test_what_lies_under_other_objects_is_counted(tmp_path, write_as):
    boxes = [
        [(0, 0), (3, 3)],
        [(2, 0), (5, 3)],
        [(6, 0), (7, 1)],
        [(6, 0), (7, 1)],
    ]  # two overlap, two are one
    shapes = [Shape("cell", np.array(corners, float), "rectangle") for corners in boxes]
    labelme.write(tmp_path / "in" / "a.json", Drawing("a.png", (4, 8), shapes))
    report = convert("labelme", write_as, tmp_path / "in", tmp_path / "out", classes=["cell"])
    assert report.left_out == {"object wholly under others": 1, "pixel of an object under another": 8 + 4}
    assert "1 object wholly under others, 12 pixels of an object under another" in str(report)


def test_touching_instances_stay_apart(tmp_path):
    labels = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 0, 0, 3]], np.int32)
    label_images.write_labels(tmp_path / "labels" / "a.tif", labels)
    for name in ("labelme", "coco", "rle", "geojson", "imagej"):
        convert("labels", name, tmp_path / "labels", tmp_path / name, classes=["cell"], tolerance=0)
        convert(name, "labels", tmp_path / name, tmp_path / f"back_{name}", classes=["cell"])
        assert np.array_equal(label_images.read_labels(tmp_path / f"back_{name}" / "a.png"), labels)


def test_nothing_is_overwritten_unless_told(tmp_path, source):
    convert("masks", "labelme", source, tmp_path / "out", classes=CLASSES)
    (tmp_path / "out" / "a.json").write_text("mine")
    (tmp_path / "out" / "deep" / "b.json").unlink()
    with pytest.raises(UserError, match=r"a\.json exist already"):
        convert("masks", "labelme", source, tmp_path / "out", classes=CLASSES)
    assert (tmp_path / "out" / "a.json").read_text() == "mine"
    assert not (tmp_path / "out" / "deep" / "b.json").exists()
    convert("masks", "labelme", source, tmp_path / "out", classes=CLASSES, overwrite=True)
    assert len(labelme.read(tmp_path / "out" / "a.json").shapes) == 3


def test_one_wrong_file_writes_nothing_and_all_wrong_files_are_named(tmp_path, source):
    masks.write_mask(source / "c.png", np.full((2, 2), 9, np.uint8))
    (source / "d.png").write_bytes(b"")
    with pytest.raises(UserError) as error:
        convert("masks", "labelme", source, tmp_path / "out", classes=CLASSES)
    assert len(error.value.messages) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("pair", "options", "message"),
    [
        (("masks", "coco"), {}, "name them, such as --classes cell"),
        (("masks", "labelme"), {"classes": CLASSES, "tolerance": -1}, "tolerance is -1"),
        (("labelme", "masks"), {}, r"holds no \.json file"),
        (("coco", "masks"), {}, r"holds no \.json file"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, source, pair, options, message):
    with pytest.raises(UserError, match=message):
        convert(*pair, source, tmp_path / "out", **options)


def test_an_unknown_label_is_refused_before_anything_is_written(tmp_path):
    drawing = Drawing("a.png", (5, 5), [Shape("cells", np.array([[0.0, 0], [3, 0], [0, 3]]))])
    labelme.write(tmp_path / "in" / "a.json", drawing)
    with pytest.raises(UserError, match=r"^\w+: unknown class 'cells'.*did you mean 'cell'.*--classes"):
        convert("labelme", "masks", tmp_path / "in", tmp_path / "out", classes=["cell"])
    assert not (tmp_path / "out").exists()


def test_real_cells_survive_all_formats(tmp_path, shared_data):
    lines = (shared_data / "phase_kaggle" / "train.csv").read_text().splitlines()
    first = lines[1].split(",")[0]
    (tmp_path / "train.csv").write_text("\n".join([lines[0], *(x for x in lines[1:] if x.startswith(first))]))
    convert("rle", "labelme", tmp_path / "train.csv", tmp_path / "labelme", classes=["cell"], tolerance=0)
    convert("labelme", "coco", tmp_path / "labelme", tmp_path / "coco")
    convert("coco", "geojson", tmp_path / "coco", tmp_path / "geojson")
    convert("geojson", "imagej", tmp_path / "geojson", tmp_path / "imagej")
    convert("imagej", "rle", tmp_path / "imagej", tmp_path / "rle")
    convert("rle", "labels", tmp_path / "rle", tmp_path / "labels", classes=["cell"])
    convert("rle", "labels", tmp_path / "train.csv", tmp_path / "expected", classes=["cell"])
    there, back = (
        label_images.read_labels(tmp_path / name / f"{first}.png") for name in ("expected", "labels")
    )
    assert there.max() > 5
    assert np.array_equal(there, back)
    assert np.array_equal(draw_labels([], there.shape), np.zeros_like(there))


def test_names_that_many_file_systems_take_for_one_are_refused_before_anything_is_written(tmp_path):
    for name in ("a.png", "A.png"):
        files.write(tmp_path / "in" / name, np.ones((2, 3), np.uint8))
    with pytest.raises(UserError, match="many file systems"):
        convert("labels", "masks", tmp_path / "in", tmp_path / "out", classes=["cell"])
    assert not (tmp_path / "out").exists()


def test_one_file_of_pixels_is_read_as_a_folder_of_it(tmp_path):
    files.write(tmp_path / "a.png", np.full((2, 3), 7, np.uint8))
    convert("labels", "masks", tmp_path / "a.png", tmp_path / "out", classes=["cell"])
    assert files.read_values(tmp_path / "out/a.png").max() == 1
    with pytest.raises(UserError, match="there is no such file or folder"):
        convert("labels", "masks", tmp_path / "b.png", tmp_path / "out", classes=["cell"])


def test_more_objects_than_a_png_can_number_become_a_tiff(tmp_path, capsys):
    dots = np.arange(257 * 257).reshape(257, 257) + 1  # 66,049 objects of a pixel
    label_images.write_labels(tmp_path / "in" / "a.tif", dots)
    convert("labels", "rle", tmp_path / "in", tmp_path / "a.csv", classes=["cell"])
    report = convert("rle", "labels", tmp_path / "a.csv", tmp_path / "out", classes=["cell"])
    assert report.files == [tmp_path / "out" / "a.tif"]
    assert "a PNG cannot hold 66,049 objects" in " ".join(capsys.readouterr().out.split())
    np.testing.assert_array_equal(label_images.read_labels(tmp_path / "out" / "a.tif"), dots)
