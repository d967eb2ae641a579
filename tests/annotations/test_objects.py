"""Labels to vector files and back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from kerasseg.annotations import coco, geojson, imagej, labelme
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.formats import OUTLINES
from kerasseg.annotations.objects import object_boxes, write_objects
from kerasseg.errors import UserError
from kerasseg.images import files

READERS = {
    "labelme": labelme.read,
    "coco": lambda path: coco.read(path)[0],
    "geojson": geojson.read,
    "imagej": imagej.read,
}
LABELS = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 0, 3, 4, 900]),
)
NAMES = {3: "cell", 4: "dead", 900: "cell"}


def renumbered(labels):
    return np.searchsorted(np.unique(labels[labels > 0]), labels) + (labels > 0)


@settings(deadline=None, max_examples=30)
@given(labels=LABELS)
@pytest.mark.parametrize("format", OUTLINES)
def test_at_tolerance_0_every_pixel_comes_back(tmp_path_factory, format, labels):
    path = tmp_path_factory.mktemp("objects") / f"a{OUTLINES[format]}"
    count = write_objects(path, labels, NAMES, format, image="a.png", tolerance=0)
    drawing = READERS[format](path)
    ids = np.unique(labels[labels > 0]).tolist()
    assert (count, drawing.size) == (len(ids), labels.shape)
    assert np.array_equal(draw_labels(drawing.shapes, drawing.size), renumbered(labels))
    assert {shape.label for shape in drawing.shapes} == {NAMES[at] for at in ids}


@pytest.mark.parametrize("format", ["geojson", "imagej"])
@pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0])
def test_pixels_deep_inside_stay_at_any_tolerance(tmp_path, format, tolerance):
    y, x = np.mgrid[:60, :60]
    labels = np.zeros((60, 60), np.int32)
    labels[np.hypot(x - 20, y - 20) < 15], labels[np.hypot(x - 45, y - 40) < 11] = 1, 2
    path = tmp_path / f"a{OUTLINES[format]}"
    write_objects(path, labels, {1: "cell", 2: "cell"}, format, image="a.png", tolerance=tolerance)
    back = draw_labels(READERS[format](path).shapes, labels.shape)
    for at in (1, 2):
        inside = ndimage.distance_transform_edt(labels == at)
        outside = ndimage.distance_transform_edt(labels != at)
        assert (back[inside > tolerance + 1] == at).all()
        assert not (back[outside > tolerance + 1] == at).any()
    assert np.array_equal(back, labels) is (tolerance == 0.5)


@pytest.mark.parametrize("format", OUTLINES)
def test_classes_are_written(tmp_path, format):
    labels = np.array([[7, 7, 0, 2], [7, 7, 0, 2]], np.int32)
    path = tmp_path / f"a{OUTLINES[format]}"
    write_objects(path, labels, {7: "cell", 2: "dead"}, format, image="a.png")
    assert [shape.label for shape in READERS[format](path).shapes] == ["dead", "cell"]


def test_qupath_takes_what_was_predicted_for_detections(tmp_path):
    write_objects(tmp_path / "a.geojson", np.ones((2, 2), np.int32), {1: "cell"}, "geojson", image="a.png")
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert feature["properties"]["objectType"] == "detection"


def test_pycocotools_reads_the_same_pixels(tmp_path):
    peer = pytest.importorskip("pycocotools.coco")
    labels = np.zeros((30, 40), np.int32)
    labels[:, 3], labels[5:9, 10:20], labels[29, 39] = 1, 2, 3
    labels[6, 12] = 0
    write_objects(tmp_path / "a.json", labels, dict.fromkeys((1, 2, 3), "cell"), "coco", image="a.png")
    loaded = peer.COCO(str(tmp_path / "a.json"))
    for at in (1, 2, 3):
        assert np.array_equal(loaded.annToMask(loaded.anns[at]), labels == at)
        assert loaded.anns[at]["area"] == (labels == at).sum()


def test_labelme_opens_them(tmp_path):
    peer = pytest.importorskip("labelme", reason="labelme is not installed", exc_type=ImportError)
    labels = np.array([[1, 0, 1], [0, 0, 0], [2, 2, 2]], np.int32)
    files.write(tmp_path / "a.png", labels.astype(np.uint8))
    write_objects(tmp_path / "a.json", labels, {1: "cell", 2: "cell"}, "labelme", image="a.png")
    shapes = peer.LabelFile(str(tmp_path / "a.json")).shapes
    assert [shape["group_id"] for shape in shapes] == [1, 1, None]


class Watched:
    """Labels in a store, which note how many of their pixels are asked for at once."""

    def __init__(self, labels):
        self.labels, self.shape, self.most = labels, labels.shape, 0

    def __getitem__(self, region):
        found = self.labels[region]
        self.most = max(self.most, found.size)
        return found


def test_only_a_band_of_labels_is_read_at_a_time(tmp_path):
    labels = np.zeros((5000, 8), np.int32)
    for at in range(1, 40):
        labels[100 * at : 100 * at + 70, 2:6] = at
    store = Watched(labels)
    names = dict.fromkeys(range(40), "cell")
    assert write_objects(tmp_path / "a.json", store, names, "coco", image="a.png") == 39
    assert store.most == 512 * 8
    assert np.array_equal(draw_labels(coco.read(tmp_path / "a.json")[0].shapes, labels.shape), labels)


def test_boxes_across_bands_are_one():
    labels = np.zeros((9, 5), np.int32)
    labels[1, 3], labels[8, 0], labels[4, 4] = 7, 7, 2_000_000_000
    expected = {7: (slice(1, 9), slice(0, 4)), 2_000_000_000: (slice(4, 5), slice(4, 5))}
    for band in (1, 2, 5, 100):
        assert object_boxes(labels, band) == expected


def test_no_objects_make_a_file_without_any(tmp_path):
    for format, suffix in OUTLINES.items():
        path = tmp_path / f"{format}{suffix}"
        assert write_objects(path, np.zeros((4, 5), np.int32), {}, format, image="a.png") == 0
        assert READERS[format](path).shapes == []


def test_an_unknown_format_is_said(tmp_path):
    with pytest.raises(UserError, match=r"unknown format 'geojsn'.*did you mean 'geojson'"):
        write_objects(tmp_path / "a", np.zeros((2, 2), np.int32), {}, "geojsn", image="a.png")


def test_nothing_half_written_stays(tmp_path):
    with pytest.raises(KeyError):
        write_objects(
            tmp_path / "a.zip", np.array([[1, 2]]), {1: "cell"}, "imagej", image="a.png", classes=["cell"]
        )
    assert list(tmp_path.iterdir()) == []
