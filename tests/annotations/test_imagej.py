import json
import zipfile

import numpy as np
import pytest
import roifile
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from kerasseg.annotations import imagej
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.shapes import Plane
from kerasseg.annotations.trace import label_shapes
from kerasseg.errors import UserError

LABELS = np.array([[1, 1, 1, 0, 3], [1, 0, 1, 0, 0], [1, 1, 1, 2, 3]], np.int32)
NAMES = {1: "cell", 2: "dead", 3: "cell"}


def written(tmp_path, labels=LABELS, corner=(0, 0), size=(3, 5)):
    shapes = label_shapes(labels, lambda at: NAMES.get(at, "cell"))
    for shape in shapes:
        shape.points[:] += corner
    imagej.write_objects(tmp_path / "a.zip", "a.png", size, shapes, ["cell", "dead"])
    return tmp_path / "a.zip"


def saved(tmp_path, *rois):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for at, roi in enumerate(rois):
            archive.writestr(f"{at}.roi", roi if isinstance(roi, bytes) else roi.tobytes())
    return path


def test_rois_are_what_imagej_reads(tmp_path):
    ring, single, parts = roifile.roiread(written(tmp_path))
    assert (single.roitype, single.name, single.group) == (ROI_TYPE.POLYGON, "dead-00002", 2)
    assert single.coordinates().tolist() == [[3, 2], [4, 2], [4, 3], [3, 3]]
    assert (single.left, single.top, single.right, single.bottom) == (3, 2, 4, 3)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert "class: dead\n".encode("utf-16-be") in archive.read("dead-00002.roi")
    assert ring.composite
    assert parts.composite
    assert [len(path) for path in ring.coordinates(multi=True)] == [5, 5]  # the first corner comes again
    assert ring.stroke_color != single.stroke_color


def test_what_is_written_comes_back(tmp_path):
    drawing = imagej.read(written(tmp_path))
    assert (drawing.image_path, drawing.size) == ("a.png", (3, 5))
    assert [shape.label for shape in drawing.shapes] == ["cell", "dead", "cell"]
    assert np.array_equal(draw_labels(drawing.shapes, drawing.size), LABELS)


@pytest.mark.parametrize("corner", [(32766, 40000), (60530, 3), (70000, 70000)])
def test_objects_beyond_16_bits_keep_their_place(tmp_path, corner):
    size = (corner[1] + 3, corner[0] + 5)
    path = written(tmp_path, corner=corner, size=size)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b""  # nothing that the limit of what is read whole would refuse
    drawing = imagej.read(path, size=size)
    expected = [(np.argwhere(at == LABELS).min(axis=0)[::-1] + corner).tolist() for at in (1, 2, 3)]
    assert [shape.points[0].tolist() for shape in drawing.shapes] == expected


def test_scores_come_back(tmp_path):
    shapes = label_shapes(LABELS, NAMES.get)
    shapes[0].other["score"], shapes[2].other["iscrowd"] = 0.125, 1
    imagej.write_objects(tmp_path / "a.zip", None, (3, 5), shapes, ["cell", "dead"])
    again = imagej.read(tmp_path / "a.zip").shapes
    assert [shape.other for shape in again] == [{"score": 0.125}, {}, {"iscrowd": 1}]


def test_the_same_objects_make_the_same_bytes(tmp_path):
    first = written(tmp_path).read_bytes()
    assert written(tmp_path).read_bytes() == first


def test_a_rectangle_an_oval_and_a_freehand_roi(tmp_path):
    box = {"left": 1, "top": 1, "right": 7, "bottom": 5}
    freehand = ImagejRoi.frompoints(np.array([[1.0, 1.0], [5.0, 1.0], [5.0, 3.0]]))
    rois = [ImagejRoi(roitype=ROI_TYPE.RECT, **box), ImagejRoi(roitype=ROI_TYPE.OVAL, **box), freehand]
    path = saved(tmp_path, *rois)
    rectangle, oval, drawn = imagej.read(path, ["cell"], size=(8, 8)).shapes
    assert (rectangle.points.tolist(), rectangle.mask.all()) == ([[1, 1], [6, 4]], True)
    assert oval.mask.astype(int).tolist() == [
        [0, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 0],
    ]
    assert drawn.label == "cell"
    assert 2 <= drawn.mask.sum() <= 6


def test_groups_are_numbers_of_classes(tmp_path):
    box = {"left": 1, "top": 1, "right": 3, "bottom": 3}
    path = saved(tmp_path, *(ImagejRoi(roitype=ROI_TYPE.RECT, group=group, **box) for group in (0, 1, 2, 9)))
    shapes = imagej.read(path, ["cell", "dead"], size=(4, 4)).shapes
    assert [shape.label for shape in shapes] == ["cell", "cell", "dead", "cell"]
    with pytest.raises(UserError, match="does not name its class; name the classes"):
        imagej.read(path, size=(4, 4))


def test_one_roi_file(tmp_path):
    (tmp_path / "one.roi").write_bytes(
        ImagejRoi(roitype=ROI_TYPE.RECT, left=0, top=0, right=2, bottom=1).tobytes()
    )
    (shape,) = imagej.read(tmp_path / "one.roi", ["cell"], size=(4, 4)).shapes
    assert shape.points.tolist() == [[0, 0], [1, 0]]


def test_what_is_no_area_is_left_out_and_counted(tmp_path):
    box = {"left": 1, "top": 1, "right": 3, "bottom": 3}
    points = ImagejRoi.frompoints([[1, 1], [2, 2], [3, 1]])
    points.roitype = ROI_TYPE.POINT
    arrow = ImagejRoi(roitype=ROI_TYPE.LINE, subtype=ROI_SUBTYPE.ARROW, x2=3.0, y2=3.0)
    line = ImagejRoi(roitype=ROI_TYPE.LINE, x2=3.0, y2=3.0)
    text = ImagejRoi(roitype=ROI_TYPE.RECT, subtype=ROI_SUBTYPE.TEXT, text="5 um", **box)
    area = ImagejRoi(roitype=ROI_TYPE.RECT, **box)
    path = saved(tmp_path, points, arrow, text, area, line, line)
    drawing = imagej.read(path, ["cell"], size=(4, 4))
    assert [shape.mask.sum() for shape in drawing.shapes] == [4]
    assert drawing.left_out == {"point": 3, "arrow": 1, "text": 1, "line": 2}


def test_positions_are_planes_and_come_back(tmp_path):
    box = {"roitype": ROI_TYPE.RECT, "right": 2, "bottom": 2}
    path = saved(
        tmp_path,
        ImagejRoi(position=3, **box),
        ImagejRoi(c_position=2, z_position=1, **box),
        ImagejRoi(t_position=4, **box),
        ImagejRoi(**box),
    )
    planes = [Plane(z=2), Plane(1, 0), Plane(t=3), Plane()]
    shapes = imagej.read(path, ["cell"], size=(4, 4)).shapes
    assert [shape.plane for shape in shapes] == planes
    imagej.write_objects(tmp_path / "again.zip", None, (4, 4), shapes, ["cell"])
    assert [shape.plane for shape in imagej.read(tmp_path / "again.zip").shapes] == planes


def test_a_position_counts_channels_then_slices_then_frames(tmp_path):
    rois = [ImagejRoi(roitype=ROI_TYPE.RECT, right=2, bottom=2, position=at) for at in (1, 2, 3, 7)]
    path = saved(tmp_path, *rois)
    shapes = imagej.read(path, ["cell"], (4, 4), Plane(2, 3, 2)).shapes
    assert [shape.plane for shape in shapes] == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    with pytest.raises(
        UserError, match=r"lie on slice 3 of frame 1, slice 7 of frame 1; .* slice 2 of frame"
    ):
        imagej.read(path, ["cell"], (4, 4), Plane(1, 2, 1))


def test_all_wrong_rois_are_named(tmp_path):
    path = saved(tmp_path, b"Iout" + bytes(10), b"nonsense", ImagejRoi(roitype=ROI_TYPE.POLYGON))
    with pytest.raises(UserError) as raised:
        imagej.read(path, ["cell"], size=(4, 4))
    found = raised.value.messages
    expected = ("short", "short", "no corners")
    assert [part in text for part, text in zip(expected, found, strict=True)] == [True] * 3
    assert all("b.zip: " in text for text in found)


def test_damaged_files_are_said(tmp_path, monkeypatch):
    path = written(tmp_path)
    (tmp_path / "cut.zip").write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"cut\.zip: this is not a zip of ROIs"):
        imagej.read(tmp_path / "cut.zip")
    with pytest.raises(UserError, match="there is no such file"):
        imagej.read(tmp_path / "absent.zip")
    monkeypatch.setattr("kerasseg.annotations.imagej.MAX_BYTES", 100)
    with pytest.raises(UserError, match="expected at most 100"):
        imagej.read(path)


def test_rois_of_an_unknown_or_another_image_are_refused(tmp_path):
    path = written(tmp_path)
    with pytest.raises(UserError, match=r"\(9, 9\).*\(3, 5\)"):
        imagej.read(path, size=(9, 9))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = json.dumps({"name": "a.png", "height": "3", "width": 5}).encode()
    with pytest.raises(UserError, match="whole numbers from 1"):
        imagej.read(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"ImageJ"
    with pytest.raises(UserError, match="put the image beside it"):
        imagej.read(path)
