import base64
import csv
import io
import json

import numpy as np
import pytest
from components import SOURCES
from PIL import Image

from kerasseg.annotations import coco as coco_files
from kerasseg.annotations import labelme as labelme_files
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.data.collect import channels
from kerasseg.data.sample import MissingData
from kerasseg.data.split import Split, audit
from kerasseg.errors import Notice, UserError
from kerasseg.images import files

BOX = Shape("cell", np.array([[1.0, 1.0], [3.0, 2.0]]), "rectangle")


def messages(source, root, classes=("cell",), **arguments):
    with pytest.raises(UserError) as raised:
        SOURCES[source](root, list(classes), **arguments)
    return raised.value.messages


def write_table(root, *rows, header="id,annotation,width,height,cell_type"):
    (root / "train.csv").write_text("\n".join([header, *rows]) + "\n")


def drawing(image_path, *shapes, size=(4, 6)):
    return Drawing(image_path, size, list(shapes))


@pytest.mark.parametrize("source", SOURCES)
def test_no_folder_and_an_empty_folder_are_missing_data(source, tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(MissingData, match=root.name):
            SOURCES[source](root, ["cell"])


@pytest.mark.parametrize("source", SOURCES)
def test_a_folder_of_something_else_is_a_mistake(source, tmp_path):
    (tmp_path / "notes.txt").write_text("no images")
    assert messages(source, tmp_path)


def test_sartorius_numbers_rows_and_puts_later_cells_on_top(tmp_path, write_image):
    write_image(tmp_path / "train/a.png")
    write_table(tmp_path, "a,1 2 7 2,6,4,cort", "a,2 2,6,4,cort")
    (sample,) = SOURCES["sartorius"](tmp_path, ["cell"])
    annotation = sample.annotate()
    assert annotation.labels[:2].tolist() == [[1, 2, 2, 0, 0, 0], [1, 1, 0, 0, 0, 0]]
    assert annotation.mask.tolist() == (annotation.labels > 0).astype(int).tolist()
    assert sample.attributes == {"folder": "train", "cell_type": "cort"}
    assert (sample.name, sample.size) == ("a", (4, 6))


def test_sartorius_names_every_mistake_at_once(tmp_path, write_image):
    for name in "abcd":
        write_image(tmp_path / f"train/{name}.png")
    (tmp_path / "train/b.png").write_bytes(b"")
    (tmp_path / "train/f.png").write_bytes(b"this is text")
    rows = ["a,1 2 24 2,6,4,x", "a,1 2 3,6,4,x", "b,1 1,6,4,x", "c,1 1,4,6,x", "e,1 1,6,4,x", "f,1 1,6,4,x"]
    write_table(tmp_path, *rows, ",1 1,6,4,x", "a,1 1")
    found = messages("sartorius", tmp_path)
    expected = [
        "outside the image",
        "3 numbers",
        "b.png: the file is empty",
        "6 x 4",
        "e.png: there is no such",
    ]
    expected += ["f.png", "id is ''", "line 9", "d.png: no row"]
    assert len(found) == len(expected)
    for part in expected:
        assert sum(part in message for message in found) == 1, part


def test_sartorius_needs_its_columns_and_one_class(tmp_path):
    write_table(tmp_path, "a,1 1", header="id,annotation")
    assert "no column width, height" in messages("sartorius", tmp_path)[0]
    assert "knows one class" in messages("sartorius", tmp_path, ["cell", "debris"])[0]


def test_sartorius_reads_real_fields(shared_data):
    samples = SOURCES["sartorius"](shared_data / "phase_kaggle", ["cell"])
    with (shared_data / "phase_kaggle/train.csv").open() as file:
        cells = sum(1 for _ in csv.DictReader(file))
    assert len(samples) == 60
    assert sum(len(np.unique(s.annotate().labels)) - 1 for s in samples) == cells
    assert len({s.attributes["sample_id"] for s in samples}) == 30
    inside = [
        s.read()[s.annotate().mask == 1].std() > s.read()[s.annotate().mask == 0].std() for s in samples
    ]
    assert np.mean(inside) > 0.9  # cells have structure; runs read in another order would not lie on them


def test_instances_of_the_data_science_bowl(shared_data):
    samples = SOURCES["instances"](shared_data / "nuclei_dsb2018", ["cell"])
    assert len(samples) == 47
    objects = sorted((samples[0].image.parents[1] / "masks").glob("*.png"))
    labels = samples[0].annotate().labels
    assert len(np.unique(labels)) == len(objects) + 1
    assert np.array_equal(labels == len(objects), files.read(objects[-1])[..., 0] > 0)


def test_instances_names_every_mistake_at_once(tmp_path, write_image):
    stage = tmp_path / "stage1_train"
    for name in "abcd":
        write_image(stage / name / "images" / f"{name}.png")
    for name, size in {
        "a/masks/1": (4, 6),
        "a/masks/2": (4, 4),
        "b/masks/1": (4, 6),
        "d/masks/1": (4, 6),
    }.items():
        write_image(stage / f"{name}.png", size, 255)
    write_image(stage / "b/images/other.png")
    truncated = stage / "d/images/d.png"
    truncated.write_bytes(truncated.read_bytes()[:20])
    found = messages("instances", tmp_path)
    for part in ("4 x 4", "2 images; expected one", "c/images", "d.png"):
        assert sum(part in message for message in found) == 1, part
    assert len(found) == 4


def test_instances_as_label_images(shared_data, tmp_path, write_image):
    samples = SOURCES["instances"](
        shared_data / "phase_usiigaci", ["cell"], images="phase", labels="instances_ids"
    )
    assert len(samples) == 6
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "a_labels.tif", value=7, dtype=np.uint16)
    (sample,) = SOURCES["instances"](tmp_path, ["cell"])
    assert (sample.annotate().labels == 7).all()
    write_image(tmp_path / "b.png")
    assert "no label image b_labels" in messages("instances", tmp_path)[0]


def test_images_and_masks_in_two_folders(tmp_path, write_image):
    write_image(tmp_path / "images/well/a.tif")
    write_image(tmp_path / "masks/well/a.png", value=2)
    (sample,) = SOURCES["images_masks"](tmp_path, ["cell", "debris"])
    assert (sample.annotate().mask == 2).all()
    assert sample.annotate().labels is None
    assert (sample.name, sample.attributes["folder"]) == ("well/a", "images/well")


def test_images_and_masks_by_suffix_and_colour(tmp_path):
    files.write(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    files.write(tmp_path / "a_mask.png", np.full((2, 2, 3), (255, 0, 0), np.uint8))
    where = {"images": ".", "masks": ".", "suffix": "_mask", "colours": {"cell": (255, 0, 0)}}
    (sample,) = SOURCES["images_masks"](tmp_path, ["cell"], **where)
    assert (sample.annotate().mask == 1).all()


def test_images_and_masks_name_every_mistake_at_once(tmp_path, write_image):
    for name in ("images/a.png", "images/b.png", "images/c.png", "masks/b.png", "masks/c.png", "masks/d.png"):
        write_image(tmp_path / name)
    write_image(tmp_path / "masks/b.png", (3, 3))
    write_image(tmp_path / "images/c.tif")
    found = messages("images_masks", tmp_path)
    for part in ("a.png: there is no mask", "3 x 3", "d.png: there is no image", "same name"):
        assert sum(part in message for message in found) == 1, part
    assert len(found) == 4


def test_a_mask_of_a_format_that_is_not_read_is_named(tmp_path, write_image):
    for name in ("c", "a", "b"):
        write_image(tmp_path / f"images/{name}.png")
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.ones((4, 6), np.uint8)).save(tmp_path / f"masks/{name}.gif")
    found = messages("images_masks", tmp_path)
    assert [text.split(": ")[0][-5:] for text in found] == ["a.png", "b.png", "c.png"]
    assert "that can be read; a.gif cannot: save it as PNG or TIFF" in found[0]


def test_labelme(tmp_path, write_image):
    write_image(tmp_path / "one/a.png")
    labelme_files.write(tmp_path / "one/a.json", drawing("a.png", BOX))
    (sample,) = SOURCES["labelme"](tmp_path, ["debris", "cell"])
    annotation = sample.annotate()
    assert annotation.mask[1:3, 1:4].tolist() == [[2, 2, 2], [2, 2, 2]]
    assert annotation.labels.max() == 1
    assert (sample.name, sample.attributes) == ("one/a", {"folder": "one"})


def test_labelme_names_every_mistake_at_once(tmp_path, write_image):
    for name in "abc":
        write_image(tmp_path / f"{name}.png")
    labelme_files.write(tmp_path / "a.json", drawing("a.png", BOX))
    labelme_files.write(tmp_path / "b.json", drawing("b.png", BOX, size=(8, 8)))
    labelme_files.write(tmp_path / "d.json", drawing("d.png", BOX))
    (tmp_path / "e.json").write_text(json.dumps({"no": "labelme"}))
    found = messages("labelme", tmp_path, ["cel"])
    for part in ("a.json: unknown class 'cell'", "8 x 8", "c.png: no JSON", "imagePath is 'd.png'", "e.json"):
        assert sum(part in message for message in found) == 1, part
    assert len(found) == 5


def embedded(content, **changes):
    """Write what labelme does where it stores the image with its shapes."""
    shape = {"label": "cell", "points": [[1, 1], [3, 2]], "shape_type": "rectangle"}
    image_data = base64.b64encode(content).decode()
    return json.dumps({"imagePath": "lost.png", "imageData": image_data, "shapes": [shape]} | changes)


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_labelme_reads_an_image_that_only_its_json_holds(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text(embedded(encoded(pixels)))
    (sample,) = SOURCES["labelme"](tmp_path, ["cell"])
    assert (sample.name, sample.size, sample.attributes) == ("deep/a", (4, 6), {"folder": "deep"})
    assert np.array_equal(sample.read(), pixels)
    assert (channels([sample]), sample.annotate().mask.sum()) == (3, 6)


def test_labelme_obeys_the_orientation_of_an_embedded_image(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    jpeg = encoded(np.zeros((6, 4, 3), np.uint8), "JPEG", exif=exif)
    (tmp_path / "a.json").write_text(embedded(jpeg))
    (sample,) = SOURCES["labelme"](tmp_path, ["cell"])
    assert (sample.size, sample.read().shape) == ((4, 6), (4, 6, 3))


def test_labelme_prefers_the_image_beside_to_the_embedded_one(tmp_path, write_image):
    (tmp_path / "a.json").write_text(embedded(encoded(np.full((4, 6), 9, np.uint8))))
    write_image(tmp_path / "lost.png", value=7)
    (sample,) = SOURCES["labelme"](tmp_path, ["cell"])
    assert sample.image == tmp_path / "lost.png"
    assert (sample.read() == 7).all()


def test_labelme_names_every_embedded_image_that_is_damaged(tmp_path, monkeypatch):
    sized = {"imageHeight": 4, "imageWidth": 6}
    content = encoded(np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8))
    (tmp_path / "a.json").write_text(embedded(b"no image at all", **sized))
    (tmp_path / "b.json").write_text(embedded(content, **sized))
    (tmp_path / "c.json").write_text(embedded(content, imageData="@@@", **sized))
    (tmp_path / "d.json").write_text(embedded(content[:20], **sized))
    (tmp_path / "e.json").write_text(embedded(b"II*\0" + content, **sized))
    (tmp_path / "f.json").write_text(embedded(encoded(np.zeros((99, 99), np.uint8)), **sized))
    monkeypatch.setattr("kerasseg.images.headers.MAX_PIXELS", 9000)
    found = messages("labelme", tmp_path)
    expected = ["a.json (its", "40 x 60", "c.json (its", "d.json (its", "e.json (its", "at most 9,000"]
    for part in expected:
        assert sum(part in message for message in found) == 1, (part, found)
    assert len(found) == len(expected)


def test_labelme_refuses_a_json_file_too_long_for_its_image_before_reading_it(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(embedded(bytes(2000)))
    monkeypatch.setattr("kerasseg.files.MAX_BYTES", 1000)
    assert "expected at most 1,000" in messages("labelme", tmp_path)[0]


def test_an_embedded_image_cut_short_is_said_when_it_is_read(tmp_path):
    content = encoded(np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8))
    (tmp_path / "a.json").write_text(embedded(content[:-30]))
    (sample,) = SOURCES["labelme"](tmp_path, ["cell"])
    with pytest.raises(UserError, match=r"a\.json \(its embedded image\): the image is damaged"):
        sample.read()


def test_the_same_embedded_image_in_two_parts_is_a_leak(tmp_path):
    for name, value in (("a", 0), ("b", 1), ("c", 1)):
        content = encoded(np.full((4, 6), value, np.uint8))
        (tmp_path / f"{name}.json").write_text(embedded(content, note=name))
    a, b, c = SOURCES["labelme"](tmp_path, ["cell"])
    (leak,) = audit(Split([a], [b], [c]), None).leaks
    assert "b.json" in leak
    assert "c.json" in leak


def test_coco(tmp_path, write_image):
    write_image(tmp_path / "images/a.png")
    coco_files.write(tmp_path / "annotations.json", [drawing("a.png", BOX)], ["cell"])
    (sample,) = SOURCES["coco"](tmp_path, ["cell"], images=str(tmp_path / "images"))
    assert sample.name == "a"
    assert sample.annotate().mask.sum() == 6
    assert sample.annotate().labels.max() == 1


def test_crowds_of_coco_are_ignored_and_no_instances(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    crowd = Shape("cell", np.array([[2.0, 0.0], [5.0, 3.0]]), "rectangle", other={"iscrowd": 1})
    coco_files.write(tmp_path / "annotations.json", [drawing("a.png", BOX, crowd)], ["cell"])
    (sample,) = SOURCES["coco"](tmp_path, ["cell"])
    assert sample.annotate().mask[1].tolist() == [0, 1, 1, 1, 255, 255]
    assert sample.annotate().labels[1].tolist() == [0, 1, 1, 1, 0, 0]


def test_coco_names_every_mistake_at_once(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    drawings = [drawing("a.png", BOX, size=(9, 9)), drawing("b.png", BOX)]
    coco_files.write(tmp_path / "annotations.json", drawings, ["cell"])
    found = messages("coco", tmp_path)
    for part in ("9 x 9", "b.png: there is no such file"):
        assert sum(part in message for message in found) == 1, part
    assert len(found) == 2


@pytest.mark.parametrize(
    ("said", "there", "folder"),
    [
        ("images/a.png", "images/a.png", "images"),
        ("https://x.org/a.png", "a.png", "."),
        ("b/a.PNG", "a.png", "."),
    ],
)
def test_an_image_of_coco_may_lie_elsewhere_by_its_name(tmp_path, write_image, said, there, folder):
    write_image(tmp_path / there)
    coco_files.write(tmp_path / "annotations.json", [drawing(said, BOX)], ["cell"])
    with pytest.warns(Notice, match="1 of 1 images are taken by their name, as "):
        (sample,) = SOURCES["coco"](tmp_path, ["cell"], images=folder)
    assert (sample.image, sample.name) == (tmp_path / there, "a")


def test_sides_that_an_orientation_exchanges_are_explained(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("L", (6, 4)).save(tmp_path / "a.jpg", exif=turned)
    coco_files.write(tmp_path / "annotations.json", [drawing("a.jpg", BOX)], ["cell"])
    (message,) = messages("coco", tmp_path)
    assert "4 x 6 (height x width)" in message
    assert "height and width are exchanged, probably because one program obeyed" in message


def test_one_image_is_not_taken_for_two_of_its_name(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    drawings = [drawing(name, BOX) for name in ("x/a.png", "y/a.png")]
    coco_files.write(tmp_path / "annotations.json", drawings, ["cell"])
    found = messages("coco", tmp_path)
    assert [message.split(f"{tmp_path}/")[1] for message in found[:2]] == [
        "x/a.png: there is no such file",
        "y/a.png: there is no such file",
    ]


def test_a_category_without_a_class_is_said_once(tmp_path, write_image):
    shapes = [Shape("dead", np.array([[1, 1], [3, 1], [3, 3]], float), "corner_polygon")]
    drawings = [drawing(name, *shapes) for name in ("a.png", "b.png")]
    for each in drawings:
        write_image(tmp_path / each.image_path)
    coco_files.write(tmp_path / "annotations.json", drawings, ["dead"])
    (message,) = messages("coco", tmp_path)
    assert "choose one of cell (data.classes). Name it there, or in data.ignore if its" in message


def test_labelme_s_images_may_lie_in_another_folder(tmp_path, write_image):
    """As `labelme --output` leaves them, and with paths of the machine that drew them."""
    for name, said in {"a": "../images/a.png", "b": "C:\\Users\\me\\b.png"}.items():
        write_image(tmp_path / "images" / f"{name}.png")
        labelme_files.write(tmp_path / "json" / f"{name}.json", drawing(said, BOX))
    samples = SOURCES["labelme"](tmp_path, ["cell"])
    assert [sample.name for sample in samples] == ["images/a", "images/b"]
    samples = SOURCES["labelme"](tmp_path / "json", ["cell"], images="../images")
    assert [sample.name for sample in samples] == ["a", "b"]


def test_stacks_are_refused(shared_data):
    found = messages("instances", shared_data / "nuclei_stardist", images="img*", labels="mask3d")
    assert any("stack" in message for message in found)
