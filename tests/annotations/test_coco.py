import json

import numpy as np
import pytest

from kerasseg.annotations import coco
from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.shapes import CORNER_POLYGON, NO_CLASS, Drawing, Shape
from kerasseg.errors import UserError

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]
IMAGE = {"id": 9, "file_name": "train\\a.png", "height": 5, "width": 6}
CATEGORY = {"id": 3, "name": "cell"}


def _written(tmp_path, *annotations, **changes):
    entries = [{"id": 1, "image_id": 9, "category_id": 3} | annotation for annotation in annotations]
    document = {"images": [IMAGE], "categories": [CATEGORY], "annotations": entries} | changes
    (tmp_path / "coco.json").write_text(json.dumps(document))
    return tmp_path / "coco.json"


def test_polygons_of_one_annotation_are_one_instance(tmp_path):
    path = _written(tmp_path, {"segmentation": [SQUARE, [0, 0, 1, 0, 0, 1]]}, {"segmentation": [SQUARE]})
    (drawing,) = coco.read(path)
    first, second, third = drawing.shapes
    assert (drawing.image_path, drawing.size) == ("train/a.png", (5, 6))
    assert first.group_id == second.group_id is not None
    assert third.group_id is None
    assert first.points.tolist() == [[1, 1], [4, 1], [4, 3], [1, 3]]


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_compressed_or_not(tmp_path, compressed):
    peer = pytest.importorskip("pycocotools.mask")
    runs = {"size": [5, 6], "counts": [6, 2, 3, 2, 17]}
    judged = peer.frPyObjects(runs, 5, 6)
    given = {"size": [5, 6], "counts": judged["counts"].decode()} if compressed else runs
    (drawing,) = coco.read(_written(tmp_path, {"segmentation": given, "iscrowd": 1}))
    assert drawing.shapes[0].is_crowd
    assert np.array_equal(draw_mask(drawing.shapes, (5, 6), ["cell"]) == 255, peer.decode(judged) == 1)


def test_what_is_written_comes_back_and_pycocotools_reads_it(tmp_path):
    peer = pytest.importorskip("pycocotools.coco")
    masked = Shape(
        "cell", np.array([[1.0, 1], [3, 3]]), "mask", mask=~np.eye(3, dtype=bool), other={"iscrowd": 1}
    )
    outlined = Shape("dead", np.array([[0.0, 0], [5, 0], [0, 4]]))
    disc = Shape("cell", np.array([[3.0, 2], [3, 3]]), "circle")
    drawing = Drawing("a.png", (5, 6), [masked, outlined, disc])
    coco.write(tmp_path / "c.json", [drawing], ["cell", "dead"])
    (again,) = coco.read(tmp_path / "c.json")
    for shape, back in zip(drawing.shapes, again.shapes, strict=True):
        expected = draw_mask([shape], (5, 6), ["cell", "dead"])
        assert np.array_equal(draw_mask([back], (5, 6), ["cell", "dead"]), expected)
    loaded = peer.COCO(str(tmp_path / "c.json"))
    assert np.array_equal(loaded.annToMask(loaded.anns[1]), draw_mask([masked], (5, 6), ["cell"]) == 255)
    assert [loaded.anns[at]["iscrowd"] for at in (1, 2, 3)] == [1, 0, 0]
    assert loaded.anns[1]["bbox"] == [1, 1, 3, 3]
    for number, shape in enumerate((masked, outlined, disc), start=1):
        annotation = loaded.anns[number]
        pixels = draw_mask([shape], (5, 6), ["cell", "dead"]) > 0
        rows, columns = np.nonzero(pixels)
        assert np.array_equal(loaded.annToMask(annotation) == 1, pixels)
        assert annotation["area"] == pixels.sum()
        assert annotation["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert isinstance(loaded.anns[2]["segmentation"], list)  # what was outlined can be edited


def test_a_square_of_a_hundred_pixels_and_its_neighbour(tmp_path):
    squares = [[2, 2, 12, 2, 12, 12, 2, 12], [12, 2, 22, 2, 22, 12, 12, 12]]
    image = {"id": 9, "file_name": "a.png", "height": 14, "width": 24}
    path = _written(tmp_path, *({"segmentation": [square]} for square in squares), images=[image])
    (drawing,) = coco.read(path)
    labels = draw_labels(drawing.shapes, drawing.size)
    assert np.bincount(labels.ravel()).tolist() == [14 * 24 - 200, 100, 100]
    assert labels[2, :].tolist() == [0, 0, *[1] * 10, *[2] * 10, 0, 0]


def test_overlapping_polygons_of_one_annotation_are_their_union(tmp_path):
    squares = [[2, 2, 12, 2, 12, 12, 2, 12], [7, 7, 17, 7, 17, 17, 7, 17]]
    image = {"id": 9, "file_name": "a.png", "height": 20, "width": 20}
    (drawing,) = coco.read(_written(tmp_path, {"segmentation": squares}, images=[image]))
    assert np.bincount(draw_labels(drawing.shapes, drawing.size).ravel()).tolist() == [225, 175]


def test_an_image_that_is_listed_twice_has_all_its_annotations(tmp_path):
    images = [IMAGE, IMAGE | {"id": 10}]
    (drawing,) = coco.read(
        _written(
            tmp_path, {"segmentation": [SQUARE]}, {"segmentation": [SQUARE], "image_id": 10}, images=images
        )
    )
    assert len(drawing.shapes) == 2


def test_crowds_may_be_objects(tmp_path):
    path = _written(tmp_path, {"segmentation": [SQUARE], "iscrowd": 1})
    assert [coco.read(path, crowds)[0].shapes[0].is_crowd for crowds in coco.CROWDS] == [True, False]


def test_categories_keep_their_order_and_what_else_is_said_comes_back(tmp_path):
    categories = [CATEGORY, {"id": 1, "name": "apoptotic", "supercategory": "dead"}]
    annotation = {
        "segmentation": [SQUARE],
        "attributes": {"occluded": True},
        "score": 0.5,
        "keypoints": [1, 2, 2],
    }
    image = IMAGE | {"license": 4}
    licences = [{"id": 4, "name": "CC0"}]
    path = _written(tmp_path, annotation, images=[image], categories=categories, licenses=licences)
    (drawing,) = coco.read(path)
    assert drawing.classes == ["cell", "apoptotic"]
    assert drawing.left_out == {"licence": 1, "supercategory": 1}
    coco.write(tmp_path / "again.json", [drawing], drawing.classes)
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["images"][0]["license"] == 4
    assert (
        again["annotations"][0].items() >= {key: annotation[key] for key in ("attributes", "score")}.items()
    )


def test_what_is_written_is_what_reading_gives_back(tmp_path):
    shapes = [
        Shape("cell", np.array([[0.0, 0], [5, 0], [0, 4]])),
        Shape("cell", np.array([[3.0, 2], [3, 3]]), "circle"),
    ]
    coco.write(tmp_path / "c.json", [Drawing("a.png", (5, 6), shapes)], ["cell"])
    (again,) = coco.read(tmp_path / "c.json")
    expected = draw_labels(again.shapes, (5, 6))
    assert np.array_equal(draw_labels(coco.outlined(shapes, (5, 6)), (5, 6)), expected)
    assert np.array_equal(draw_labels(shapes, (5, 6)), expected)


def test_run_lengths_of_nothing_are_counted(tmp_path):
    nothing = {"segmentation": {"size": [5, 6], "counts": [30]}}
    (drawing,) = coco.read(_written(tmp_path, nothing, {"segmentation": [SQUARE]}, nothing))
    assert (len(drawing.shapes), drawing.left_out) == (1, {"object without a pixel": 2})


def test_a_size_may_be_written_as_pandas_writes_it(tmp_path):
    image = IMAGE | {"height": 5.0, "width": 6.0}
    (drawing,) = coco.read(_written(tmp_path, {"segmentation": [SQUARE]}, images=[image]))
    assert drawing.size == (5, 6)
    assert [type(side) for side in drawing.size] == [int, int]
    with pytest.raises(UserError, match=r"5\.5 and 6"):
        coco.read(_written(tmp_path, images=[IMAGE | {"height": 5.5}]))


def test_a_crowd_is_ignored_where_no_object_covers_it(tmp_path):
    crowd = {"segmentation": {"size": [5, 6], "counts": [5, 10, 15]}, "iscrowd": 1}
    object_ = {"segmentation": {"size": [5, 6], "counts": [10, 10, 10]}}
    (drawing,) = coco.read(_written(tmp_path, object_, crowd))
    drawn = draw_mask(drawing.shapes, (5, 6), ["cell"])
    assert drawn[0].tolist() == [0, 255, 1, 1, 0, 0]
    assert (drawn == drawn[0]).all()


def test_pycocotools_finds_nothing_wrong_where_we_ignore(tmp_path):
    """What is found inside a crowd is no mistake to its scoring, and no pixel of ours."""
    coco_api = pytest.importorskip("pycocotools.coco")
    run_lengths = pytest.importorskip("pycocotools.mask")
    scoring = pytest.importorskip("pycocotools.cocoeval")
    squares = [[0, 0, 10, 0, 10, 10, 0, 10], [20, 20, 39, 20, 39, 39, 20, 39]]
    drawing = Drawing(
        "a.png",
        (40, 40),
        [
            Shape("cell", np.reshape(square, (4, 2)).astype(float), CORNER_POLYGON, other={"iscrowd": crowd})
            for square, crowd in zip(squares, (0, 1), strict=True)
        ],
    )
    coco.write(tmp_path / "truth.json", [drawing], ["cell"])
    truth = coco_api.COCO(str(tmp_path / "truth.json"))
    inside = [[22, 22, 30, 22, 30, 30, 22, 30], [31, 31, 38, 31, 38, 38, 31, 38]]
    entry = {"image_id": 1, "category_id": 1}
    runs = run_lengths.frPyObjects([squares[0], *inside], 40, 40)
    found = [entry | {"segmentation": each, "score": 0.9} for each in runs]
    judge = scoring.COCOeval(truth, truth.loadRes(found), "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1)
    drawn = draw_mask(coco.read(tmp_path / "truth.json")[0].shapes, (40, 40), ["cell"])
    for square in inside:
        assert (drawn[square[1] : square[5], square[0] : square[4]] == 255).all()


def test_regions_to_ignore_are_crowds_of_every_class(tmp_path):
    shapes = [Shape(label, np.array([[0.0, 0], [3, 0], [0, 3]])) for label in NO_CLASS]
    coco.write(tmp_path / "c.json", [Drawing("a.png", (5, 6), shapes)], ["cell", "dead"])
    (drawing,) = coco.read(tmp_path / "c.json")
    assert [(shape.label, shape.is_crowd) for shape in drawing.shapes] == [("cell", True), ("dead", True)]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"segmentation": [[1, 1, 2, 2, 3]]}, "not a list of x, y"),
        ({"segmentation": [[1, 1, 2, 2]]}, "3 or more points, not 2"),
        ({"segmentation": [[1, 1, 2, 2, 99, 3]]}, "lies far outside"),
        ({"segmentation": [[1, 1, 2, 2, float("nan"), 3]]}, "NaN"),
        ({"segmentation": []}, "no segmentation"),
        ({"bbox": [1, 1, 2, 2]}, "no segmentation"),
        ({"segmentation": {"size": [6, 5], "counts": [30]}}, r"size \[6, 5\]; the image is \[5, 6\]"),
        ({"segmentation": {"size": [5, 6], "counts": [31]}}, "add up to 31"),
        ({"segmentation": {"size": [5, 6], "counts": "\u00e9"}}, "not a COCO run-length string"),
        ({"segmentation": {"size": [5, 6]}}, "neither a string nor a list"),
        ({"segmentation": [SQUARE], "image_id": 4}, "image_id is 4"),
        ({"segmentation": [SQUARE], "category_id": None}, "category_id is None"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, annotation, message):
    with pytest.raises(UserError, match=rf"coco\.json: annotation 1: .*{message}"):
        coco.read(_written(tmp_path, {"segmentation": [SQUARE]}, annotation))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "not a COCO file of annotated images, as it has no list images;"),
        ({"images": [IMAGE | {"file_name": ".."}]}, "expected a file name"),
        ({"images": [IMAGE, IMAGE | {"id": 1, "height": 7}]}, "listed twice"),
        (
            {"images": [IMAGE | {"id": at, "file_name": f"../{at}/a.png"} for at in (1, 2)]},
            "have the same name",
        ),
        ({"images": [IMAGE | {"file_name": None}]}, "no file_name"),
        ({"images": [IMAGE | {"height": -1}]}, "whole numbers from 1"),
        ({"categories": [{"id": 3}]}, "name None"),
    ],
)
def test_a_wrong_file_is_said(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        coco.read(_written(tmp_path, **changes))
