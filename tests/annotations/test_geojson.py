import json

import numpy as np
import pytest
import shapely

from kerasseg.annotations import geojson
from kerasseg.annotations.draw import draw_labels, draw_mask
from kerasseg.annotations.shapes import IGNORE_LABEL, Plane
from kerasseg.annotations.trace import label_shapes
from kerasseg.errors import UserError

LABELS = np.array([[1, 1, 1, 0, 3], [1, 0, 1, 0, 0], [1, 1, 1, 2, 3]], np.int32)
NAMES = {1: "cell", 2: "dead", 3: "cell"}
SQUARE = [[1, 1], [3, 1], [3, 2], [1, 2], [1, 1]]


def written(tmp_path, **options):
    shapes = label_shapes(LABELS, NAMES.get)
    geojson.write_objects(tmp_path / "a.geojson", "a.png", (3, 5), shapes, ["cell", "dead"], **options)
    return json.loads((tmp_path / "a.geojson").read_text())


def feature(coordinates, kind="Polygon", **properties):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def on_plane(ring, **plane):
    document = feature([ring])
    document["geometry"]["plane"] = plane
    return document


def saved(tmp_path, document):
    path = tmp_path / "b.geojson"
    path.write_text(json.dumps(document))
    return path


def test_features_are_what_qupath_reads(tmp_path):
    document = written(tmp_path, object_type="detection")
    ring, single, parts = document["features"]
    assert document["type"] == "FeatureCollection"
    assert ring["geometry"]["coordinates"][0] == [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    assert ring["geometry"]["coordinates"][1][0] == ring["geometry"]["coordinates"][1][-1]
    assert single["properties"]["objectType"] == "detection"
    assert single["properties"]["classification"]["name"] == "dead"
    assert len(single["properties"]["classification"]["color"]) == 3
    assert [each["geometry"]["type"] for each in (ring, single, parts)] == [
        "Polygon",
        "Polygon",
        "MultiPolygon",
    ]


def test_shapely_finds_the_same_areas(tmp_path):
    for at, each in enumerate(written(tmp_path)["features"], start=1):
        judge = shapely.from_geojson(json.dumps(each["geometry"]))
        assert judge.is_valid
        assert judge.area == (at == LABELS).sum()


def test_what_is_written_comes_back(tmp_path):
    written(tmp_path)
    drawing = geojson.read(tmp_path / "a.geojson")
    assert (drawing.image_path, drawing.size) == ("a.png", (3, 5))
    assert [shape.label for shape in drawing.shapes] == ["cell", "dead", "cell"]
    assert np.array_equal(draw_labels(drawing.shapes, drawing.size), LABELS)


def test_scores_crowds_and_regions_to_ignore_come_back(tmp_path):
    first, second, _ = label_shapes(LABELS, NAMES.get)
    first.other["score"], second.other["iscrowd"] = 0.25, 1
    ignored = label_shapes((LABELS == 3).astype(np.int32), lambda _: IGNORE_LABEL)
    geojson.write_objects(tmp_path / "a.geojson", None, (3, 5), [first, second, *ignored], ["cell", "dead"])
    shapes = geojson.read(tmp_path / "a.geojson").shapes
    assert [shape.other for shape in shapes] == [{"score": 0.25}, {"iscrowd": 1}, {}]
    assert draw_mask(shapes, (3, 5), ["cell", "dead"])[2].tolist() == [1, 1, 1, 255, 255]
    names = [each["properties"]["classification"]["name"] for each in _features(tmp_path)]
    assert names == ["cell", "dead", "Ignore*"]


def _features(tmp_path):
    return json.loads((tmp_path / "a.geojson").read_text())["features"]


@pytest.mark.parametrize(
    ("properties", "label"),
    [
        ({"classification": {"name": "Tumor", "colorRGB": -3670016}}, "Tumor"),
        ({"classification": {"names": ["Immune cells", "CD3"]}}, "Immune cells: CD3"),
        (
            {"classification": {"name": "Positive", "parentClass": {"name": "Tumor", "colorRGB": -1}}},
            "Tumor: Positive",
        ),
        ({"classification": "Tumor"}, "Tumor"),
        ({"object_type": "annotation", "measurements": [{"name": "area", "value": 1}]}, "Unclassified"),
    ],
)
def test_classifications_of_all_versions(tmp_path, properties, label):
    for document in ([feature([SQUARE], **properties)], feature([SQUARE], **properties)):
        (shape,) = geojson.read(saved(tmp_path, document), (4, 5)).shapes
        assert (shape.label, shape.points.tolist()) == (label, [[1, 1], [2, 1]])


def test_points_lines_and_nuclei_are_left_out_and_counted(tmp_path):
    cell = feature([SQUARE], objectType="cell") | {"nucleusGeometry": feature([SQUARE])["geometry"]}
    document = [
        feature([1, 1], "Point"),
        cell,
        feature([[1, 1], [2, 2]], "MultiPoint"),
        feature([[1, 1], [2, 2]], "LineString"),
    ]
    drawing = geojson.read(saved(tmp_path, document), (4, 5))
    assert [shape.points.tolist() for shape in drawing.shapes] == [[[1, 1], [2, 1]]]
    assert drawing.left_out == {"point": 3, "nucleus": 1, "line": 1}


def test_objects_inside_objects_are_drawn_over_them(tmp_path):
    inner = feature([[[1, 1], [2, 1], [2, 2], [1, 2]]], classification="Cell")
    outer = feature([SQUARE], classification="Tumor") | {"childObjects": [inner]}
    shapes = geojson.read(saved(tmp_path, [outer]), (4, 5)).shapes
    assert draw_mask(shapes, (3, 4), ["Tumor", "Cell"]).tolist() == [[0] * 4, [0, 2, 1, 0], [0] * 4]
    with pytest.raises(UserError, match="feature 0, child 0: its geometry is None"):
        geojson.read(saved(tmp_path, [outer | {"childObjects": [5]}]), (4, 5))


def test_planes_are_read_and_written(tmp_path):
    square = [[1, 1], [3, 1], [3, 2], [1, 2], [1, 1]]
    document = [on_plane(square, c=-1, z=2, t=0), feature([square]), on_plane(square, c=1, z=0, t=0)]
    shapes = geojson.read(saved(tmp_path, document), (4, 5)).shapes
    planes = [Plane(z=2), Plane(z=0), Plane(1, 0)]
    assert [shape.plane for shape in shapes] == planes
    geojson.write_objects(tmp_path / "a.geojson", None, (4, 5), shapes, [])
    written_planes = [each["geometry"]["plane"] for each in _features(tmp_path)]
    assert written_planes == [{"c": -1, "z": 2, "t": 0}, {"c": -1, "z": 0, "t": 0}, {"c": 1, "z": 0, "t": 0}]
    assert [shape.plane for shape in geojson.read(tmp_path / "a.geojson").shapes] == planes
    with pytest.raises(UserError, match=r"objects lie on slice 3 of frame 1; .* ends with slice 2"):
        geojson.read(tmp_path / "a.geojson", stack=Plane(1, 2, 1))


def test_an_ellipse_fills_its_box_and_not_the_polygon_that_stands_for_it(tmp_path):
    ellipse = feature([[[0, 3], [4, 0], [8, 3], [4, 6], [0, 3]]])
    ellipse["geometry"]["isEllipse"] = True
    (shape,) = geojson.read(saved(tmp_path, [ellipse]), (6, 8)).shapes
    assert shape.mask.astype(int).tolist() == [
        [0, 0, 1, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
    ]


def test_centres_on_upper_and_left_edges_are_inside(tmp_path):
    square = [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]
    (shape,) = geojson.read(saved(tmp_path, [feature([square])]), (4, 4)).shapes
    assert shape.points.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (feature([1, 1], "Circle"), "geometry is Circle; expected Polygon or MultiPolygon"),
        (feature([], "MultiPoint"), "not a list of"),
        (on_plane(SQUARE, z=-1), "plane is .* expected whole numbers"),
        (feature([]), "not a list of rings"),
        (feature([[[1, 1], [2, 2]]]), "three or more"),
        (feature([[[1, 1], [2, 2], [float("nan"), 1]]]), "three or more"),
        (feature([[1, 2, 3]]), "three or more"),
        ({"type": "Feature", "geometry": None}, "geometry is None"),
        (5, "geometry is None"),
    ],
)
def test_a_wrong_feature_is_named(tmp_path, bad, message):
    path = saved(tmp_path, {"features": [feature([SQUARE]), bad]})
    with pytest.raises(UserError, match=rf"b\.geojson: feature 1: .*{message}"):
        geojson.read(path, (4, 5))


def test_a_file_of_something_else_or_of_no_known_size_is_said(tmp_path):
    with pytest.raises(UserError, match="not GeoJSON"):
        geojson.read(saved(tmp_path, {"shapes": []}), (4, 5))
    with pytest.raises(UserError, match=r"put the image beside it"):
        geojson.read(saved(tmp_path, [feature([SQUARE])]))
    written(tmp_path)
    with pytest.raises(UserError, match=r"\(9, 9\).*\(3, 5\)"):
        geojson.read(tmp_path / "a.geojson", (9, 9))
    image = {"name": "../..", "height": 3, "width": 3}
    with pytest.raises(UserError, match="expected a file name"):
        geojson.read(saved(tmp_path, {"features": [], "image": image}))


def test_points_lie_in_the_middle_of_their_pixels_and_are_no_areas(tmp_path):
    path = tmp_path / "points.geojson"
    points = [(3, 1, Plane(), {"value": 2.5}), (0, 2, Plane(z=1), {})]
    geojson.write_points(path, "a.png", (3, 5), points)
    first, second = json.loads(path.read_text())["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [3.5, 1.5]}
    assert first["properties"]["measurements"] == {"value": 2.5}
    assert second["geometry"]["plane"] == {"c": -1, "z": 1, "t": 0}
    drawing = geojson.read(path)
    assert (drawing.size, drawing.shapes, drawing.left_out) == ((3, 5), [], {"point": 2})
