"""labelme files of every version; the real labelme loads what is written."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from kerasseg.annotations import labelme
from kerasseg.annotations.draw import draw_mask
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError
from kerasseg.images import files

TRIANGLE = [[1, 1], [5, 1], [3, 4]]
OLD = {  # before version 1: no version, no size, no shape_type, colours instead
    "shapes": [{"label": "cell", "line_color": None, "fill_color": [1, 2, 3, 4], "points": TRIANGLE}],
    "lineColor": [0, 255, 0, 128],
    "imagePath": "a.png",
}
NEW = {
    "version": "7.0.2",
    "flags": {"done": True},
    "shapes": [
        {
            "label": "cell",
            "points": TRIANGLE,
            "group_id": 3,
            "description": "odd",
            "shape_type": "polygon",
            "flags": {"sure": False},
            "mask": None,
            "locked": True,
        }
    ],
    "imagePath": "plates\\well 1\\a.png",
    "imageData": "",
    "imageHeight": 6,
    "imageWidth": 8,
    "plate": {"row": "B"},
}


def _written(tmp_path, document):
    path = tmp_path / "a.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def _with_shape(**changes):
    return {**NEW, "shapes": [NEW["shapes"][0], NEW["shapes"][0] | changes]}


def test_a_file_of_version_7(tmp_path):
    drawing = labelme.read(_written(tmp_path, NEW))
    (shape,) = drawing.shapes
    assert (drawing.version, drawing.size, drawing.flags) == ("7.0.2", (6, 8), {"done": True})
    assert drawing.image_path == "plates/well 1/a.png"
    assert drawing.image_data is None
    assert drawing.other == {"plate": {"row": "B"}}
    assert (shape.label, shape.group_id, shape.description) == ("cell", 3, "odd")
    assert (shape.flags, shape.other) == ({"sure": False}, {"locked": True})
    assert shape.points.tolist() == TRIANGLE


def test_a_file_without_version_asks_the_image_for_its_size(tmp_path):
    files.write(tmp_path / "a.png", np.zeros((6, 8), np.uint8))
    drawing = labelme.read(_written(tmp_path, OLD))
    assert (drawing.version, drawing.size, drawing.image_path) == (None, (6, 8), "a.png")
    assert drawing.shapes[0].shape_type == "polygon"
    assert drawing.shapes[0].other == {"line_color": None, "fill_color": [1, 2, 3, 4]}


def test_a_file_without_version_and_image_asks_the_embedded_image(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (8, 6)).save(buffer, "JPEG")
    embedded = base64.b64encode(buffer.getvalue()).decode()
    drawing = labelme.read(_written(tmp_path, OLD | {"imageData": embedded}))
    assert (drawing.size, drawing.image_data) == ((6, 8), embedded)


def test_unknown_keys_survive_a_round_trip(tmp_path):
    path = _written(tmp_path, NEW)
    labelme.write(tmp_path / "b.json", labelme.read(path))
    expected = NEW | {"imagePath": "plates/well 1/a.png", "imageData": None}
    assert json.loads((tmp_path / "b.json").read_text()) == expected


def test_real_files_are_read(shared_data):
    paths = sorted((shared_data / "labelme_rs").rglob("*.json"))
    drawings = {path.stem: labelme.read(path) for path in paths}
    assert drawings["backslash"].image_path == "parent/stem.jpg"
    assert [shape.shape_type for shape in drawings["sort"].shapes].count("line") >= 1
    assert len(drawings["Mandrill"].shapes) == 15


@pytest.mark.parametrize(
    "image_path",
    [
        "../a.png",
        "..\\a.png",
        "/etc/a.png",
        "C:\\data\\a.png",
        "x/../../a.png",
        "\\\\server\\share\\a.png",
        "C:a.png",
    ],
)
def test_an_image_path_never_leaves_the_folder(tmp_path, image_path):
    drawing = labelme.read(_written(tmp_path, NEW | {"imagePath": image_path}))
    assert drawing.image_path == "a.png"  # which may lie beside


@pytest.mark.parametrize("shape_type", ["rectangle", "rotation"])
def test_four_corners_of_another_program_are_an_oriented_rectangle(tmp_path, shape_type):
    corners = [[1, 1], [4, 1], [4, 3], [1, 3]]
    shape = {"label": "cell", "shape_type": shape_type, "points": corners, "direction": 0.5}
    (read,) = labelme.read(_written(tmp_path, NEW | {"shapes": [shape]})).shapes
    assert (read.shape_type, read.points.tolist()) == ("oriented_rectangle", corners)
    assert draw_mask([read], (6, 8), ["cell"]).sum() == 4 * 3
    assert read.other == {"direction": 0.5}


def test_what_lies_outside_the_image_is_cut_off(tmp_path):
    shape = {"label": "cell", "points": [[-3, -3], [9, -3], [9, 20], [-3, 20]]}
    (read,) = labelme.read(_written(tmp_path, NEW | {"shapes": [shape]})).shapes
    assert (draw_mask([read], (6, 8), ["cell"]) == 1).all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"points": [[1, 1], [2, 2]]}, "a polygon has 3 or more points, not 2"),
        ({"points": [[1, 1], [2, 2], [float("nan"), 3]]}, "NaN or infinite"),
        ({"points": [[1, 1], [2, 2], [10**400, 3]]}, "not a list of"),
        ({"points": [[1, 1], [2, 2], [3]]}, "not a list of"),
        ({"points": None}, "not a list of"),
        (
            {"points": [[1, 1], [2, 2], [900, 3]]},
            r"point \(900, 3\) lies far outside the image, 8 wide and 6 high",
        ),
        ({"shape_type": "circle"}, "a circle has 2 points, not 3"),
        ({"shape_type": "polygone"}, "did you mean 'polygon'"),
        ({"shape_type": ["polygon"]}, "unknown shape_type"),
        ({"label": None}, "no label"),
        ({"label": 7}, "label is 7; expected str"),
        ({"group_id": "one"}, "group_id is 'one'; expected int"),
        ({"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "???"}, "not a PNG in base64"),
        ({"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": None}, "not a PNG in base64"),
    ],
)
def test_a_wrong_shape_is_named(tmp_path, shape, message):
    with pytest.raises(UserError, match=rf"a\.json: shape 1 .*{message}"):
        labelme.read(_written(tmp_path, _with_shape(**shape)))


def test_all_wrong_shapes_are_named_at_once(tmp_path):
    document = NEW | {"shapes": [{"label": "a", "points": []}, NEW["shapes"][0], "none"]}
    with pytest.raises(UserError) as error:
        labelme.read(_written(tmp_path, document))
    assert len(error.value.messages) == 2
    assert "shape 0" in error.value.messages[0]
    assert "shape 2" in error.value.messages[1]


def test_a_mask_of_another_size_than_its_box_is_refused_undecoded(tmp_path):
    buffer = io.BytesIO()
    Image.new("1", (5000, 5000)).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    document = _with_shape(shape_type="mask", points=[[0, 0], [1, 2]], mask=mask)
    with pytest.raises(UserError, match=r"its mask is 5000 x 5000, 1; expected 3 x 2"):
        labelme.read(_written(tmp_path, document))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a labelme file"),
        ('{"images": []}', "not a labelme file"),
        (NEW | {"imageHeight": 0}, "expected whole numbers from 1"),
        (NEW | {"imageHeight": "6"}, "expected whole numbers from 1"),
        (NEW | {"imageHeight": 10**9}, "178,956,970"),
        (NEW | {"imageWidth": None}, "expected whole numbers from 1"),
        (OLD, "no such file"),
        (OLD | {"imagePath": None}, "how large the image is"),
        (OLD | {"imageData": "????"}, "embedded image.*not an image"),
        (OLD | {"imageData": "abcde"}, "damaged|not an image|no image in base64"),
        (OLD | {"imageData": 5}, "imageData is not an image in base64"),
        (NEW | {"imagePath": 5}, "expected a file name"),
    ],
)
def test_what_is_no_labelme_file_is_said(tmp_path, document, message):
    with pytest.raises(UserError, match=message):
        labelme.read(_written(tmp_path, document))


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(UserError, match="8,589,934,592 bytes; expected at most"):
        labelme.read(tmp_path / "a.json")


def test_the_real_labelme_loads_what_is_written(tmp_path):
    peer = pytest.importorskip("labelme", reason="labelme is not installed", exc_type=ImportError)
    files.write(tmp_path / "a.png", np.zeros((6, 8), np.uint8))
    mask = np.array([[1, 0], [1, 1], [0, 1]], bool)
    shapes = [
        Shape("cell", np.array(TRIANGLE, float), group_id=2, other={"mine": 1}),
        Shape("cell", np.array([[2.0, 1], [3, 3]]), "mask", mask=mask),
        Shape("cell", np.array([[2.5, 1], [3, 3]]), "circle", description="round"),
    ]
    labelme.write(tmp_path / "a.json", Drawing("a.png", (6, 8), shapes))
    loaded = peer.LabelFile(str(tmp_path / "a.json"))
    assert [shape["shape_type"] for shape in loaded.shapes] == ["polygon", "mask", "circle"]
    assert loaded.shapes[0]["points"] == TRIANGLE
    assert loaded.shapes[0]["other_data"] == {"mine": 1}
    assert np.array_equal(loaded.shapes[1]["mask"], mask)
    again = labelme.read(tmp_path / "a.json")
    assert np.array_equal(again.shapes[1].mask, mask)


def test_labelme_writes_what_is_read(tmp_path):
    peer = pytest.importorskip("labelme", reason="labelme is not installed", exc_type=ImportError)
    square = {"label": "cell", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "oriented_rectangle"}
    peer.LabelFile().save(str(tmp_path / "a.json"), [square], "a.png", image_height=6, image_width=8)
    drawing = labelme.read(tmp_path / "a.json")
    assert drawing.shapes[0].shape_type == "oriented_rectangle"
    assert drawing.version == peer.__version__
