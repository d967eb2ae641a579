"""Annotations of several planes, from and to every format."""

import json

import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi, roiwrite

from kerasseg.annotations import masks, planes
from kerasseg.annotations.conversion import convert
from kerasseg.annotations.shapes import EVERYWHERE, Drawing, Plane, Shape
from kerasseg.annotations.values import class_ids
from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store

SQUARE = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])


def lying_on(*shape_planes, stack=None):
    shapes = [Shape(f"{at}", SQUARE, plane=plane) for at, plane in enumerate(shape_planes)]
    return Drawing("a.tif", (4, 4), shapes, stack=stack)


def names(drawing):
    """Name each plane with the labels of its shapes."""
    drawings = planes.apart("a", drawing)
    return {name: "".join(shape.label for shape in one.shapes) for name, one in drawings}


@pytest.fixture
def stack(tmp_path):
    """A stack of three slices, with a square on each, shifted by a pixel."""
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(
        folder / "stack.tif", np.zeros((3, 6, 6), np.uint8), imagej=True, metadata={"axes": "ZYX"}
    )
    features = []
    for z in range(3):
        ring = (SQUARE + z).tolist()
        geometry = {"type": "Polygon", "plane": {"c": -1, "z": z, "t": 0}, "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": geometry, "properties": {"classification": "cell"}})
    (folder / "stack.geojson").write_text(json.dumps(features))
    return folder


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        (lying_on(EVERYWHERE, EVERYWHERE), {"a": "01"}),
        (lying_on(EVERYWHERE, EVERYWHERE, stack=Plane(1, 3, 1)), {"a": "01"}),
        (lying_on(Plane(z=3), Plane(z=0)), {"a_z001": "1", "a_z004": "0"}),
        (lying_on(Plane(z=0), EVERYWHERE, Plane(z=2)), {"a_z001": "01", "a_z003": "12"}),
        (
            lying_on(Plane(z=0), EVERYWHERE, stack=Plane(1, 3, 1)),
            {"a_z001": "01", "a_z002": "1", "a_z003": "1"},
        ),
        (lying_on(Plane(z=0, t=1), Plane(z=1, t=0)), {"a_t001_z002": "1", "a_t002_z001": "0"}),
        (lying_on(Plane(c=1), Plane(c=1)), {"a": "01"}),
        (lying_on(Plane(c=0), Plane(c=1)), {"a_c001": "0", "a_c002": "1"}),
        (lying_on(), {"a": ""}),
    ],
)
def test_each_annotated_plane_is_an_image(drawing, expected):
    assert names(drawing) == expected


def test_a_lone_plane_is_no_stack(tmp_path):
    first = lying_on(Plane(z=0, t=0), Plane(z=0, t=0))
    assert names(planes.placed(first, tmp_path)) == {"a": "01"}
    assert names(planes.placed(lying_on(Plane(z=0), stack=Plane(1, 3, 1)), tmp_path)) == {"a_z001": "0"}
    with pytest.raises(UserError, match="objects lie on slice 4 of frame 1; the stack beside it ends"):
        planes.placed(lying_on(Plane(z=3), stack=Plane(1, 3, 1)), tmp_path)


def test_what_lies_everywhere_is_repeated_where_all_cannot_be_said():
    shapes = planes.repeated(lying_on(Plane(z=0), EVERYWHERE, Plane(c=1, z=2))).shapes
    found = [(shape.label, shape.plane) for shape in shapes]
    assert found == [("0", Plane(z=0)), ("1", Plane(z=0)), ("1", Plane(z=2)), ("2", Plane(1, 2))]


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("YX", (4, 4), None),
        ("ZYX", (3, 4, 4), Plane(1, 3, 1)),
        ("TZCYX", (2, 3, 2, 4, 4), Plane(2, 3, 2)),
        ("YXS", (4, 4, 3), None),
    ],
)
def test_stacks_are_counted(tmp_path, axes, shape, expected):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), imagej=True, metadata={"axes": axes})
    assert planes.stack_of(tmp_path / "a.tif") == expected


@pytest.mark.parametrize("write_as", ["labels", "masks"])
@pytest.mark.parametrize("through", [None, "imagej"])
def test_objects_of_a_stack_stay_on_their_planes(tmp_path, stack, write_as, through):
    source = stack
    if through:
        source = tmp_path / "between"
        convert("geojson", through, stack, source, tolerance=0)
    options = {"classes": ["cell"]}
    report = convert(through or "geojson", write_as, source, tmp_path / "out", **options)
    assert (report.images, report.shapes) == (3, 3)
    assert [path.name for path in report.files] == ["stack_z001.png", "stack_z002.png", "stack_z003.png"]
    with open_store(tmp_path / "out", values=True) as volume:  # a folder of slices is a volume
        pixels = volume.read((slice(3), slice(6), slice(6)))[..., 0]
    assert [np.argwhere(plane).min(axis=0).tolist() for plane in pixels] == [[0, 0], [1, 1], [2, 2]]
    assert (pixels > 0).sum(axis=(1, 2)).tolist() == [4, 4, 4]


@pytest.mark.parametrize("write_as", ["labelme", "coco", "rle"])
def test_planes_are_images_of_other_formats(tmp_path, stack, write_as):
    convert("geojson", write_as, stack, tmp_path / "there", classes=["cell"], tolerance=0)
    convert(write_as, "masks", tmp_path / "there", tmp_path / "back", classes=["cell"])
    for z in range(3):
        mask = masks.read_mask(tmp_path / "back" / f"stack_z{z + 1:03}.png", class_ids(len(["cell"])))
        assert (np.argwhere(mask).min(axis=0).tolist(), mask.sum()) == ([z, z], 4)


def test_rois_keep_planes_and_qupath_gets_them(tmp_path, stack):
    convert("geojson", "imagej", stack, tmp_path / "rois")
    report = convert("imagej", "geojson", tmp_path / "rois", tmp_path / "back")
    features = json.loads((tmp_path / "back" / "stack.geojson").read_text())["features"]
    assert [feature["geometry"]["plane"]["z"] for feature in features] == [0, 1, 2]
    assert set(report.agreement) == {"stack_z001", "stack_z002", "stack_z003"}


def test_a_stack_and_a_plane_of_one_name_are_refused(tmp_path, stack):
    (stack / "stack_z002.geojson").write_bytes((stack / "stack.geojson").read_bytes().replace(b'"z"', b'"y"'))
    tifffile.imwrite(stack / "stack_z002.tif", np.zeros((6, 6), np.uint8))
    with pytest.raises(UserError, match="stack_z002: an image and a plane of a stack"):
        convert("geojson", "labels", stack, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_left_out_is_counted_once(tmp_path):
    roi = {"roitype": ROI_TYPE.RECT, "right": 2, "bottom": 2}
    line = ImagejRoi(roitype=ROI_TYPE.LINE, x2=3.0, y2=3.0, name="line")
    rois = [ImagejRoi(position=at, name=f"{at}", **roi) for at in (1, 2)]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 4, 4), np.uint8))
    roiwrite(tmp_path / "a.zip", [*rois, line])
    report = convert("imagej", "labels", tmp_path, tmp_path / "out", classes=["cell"])
    assert "left out: 1 line" in str(report)
    assert report.images == 2
