"""ROIs of every kind, filled as ImageJ itself fills them: the judge is ij.jar, as in Debian's libij-java."""

import os
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from kerasseg.annotations import imagej
from kerasseg.annotations.draw import draw_labels
from kerasseg.annotations.imagejoutlines import outline
from kerasseg.annotations.trace import label_shapes

SIZE = (40, 50)
IJ = Path(os.environ.get("IJ_JAR", "/usr/share/java/ij.jar"))
EACH = 400  # ROIs of each kind


@pytest.fixture(scope="session")
def needs_imagej():
    """Skip where there is no ImageJ, or no Java that takes a source file."""
    if not IJ.exists() or not shutil.which("java"):
        pytest.skip(f"there is no Java runtime, or no ImageJ at {IJ} (Debian's libij-java; or set IJ_JAR)")
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True)
    if "jdk.compiler" not in modules.stdout:
        pytest.skip("Java does not run source files: it has no module jdk.compiler")


def pixels(content, size=SIZE):
    """Fill one ROI."""
    roi = ImagejRoi.frombytes(content)
    shape = imagej._shape(roi, content, ["cell"], size, None)
    return draw_labels([shape] if shape else [], size).astype(bool)


def judged(tmp_path, contents, size=SIZE):
    """Fill ROIs by ImageJ."""
    with zipfile.ZipFile(tmp_path / "rois.zip", "w") as archive:
        for at, content in enumerate(contents):
            archive.writestr(f"{at:06}.roi", content)
    judge = Path(__file__).with_name("FillRois.java")
    command = ["java", "-Djava.awt.headless=true", "-cp", IJ, judge, tmp_path / "rois.zip", tmp_path / "out"]
    subprocess.run([*command, *map(str, size)], check=True, timeout=300)
    return np.fromfile(tmp_path / "out", np.uint8).reshape(len(contents), *size).astype(bool)


def polygon(corners, kind=ROI_TYPE.POLYGON, options=ROI_OPTIONS.NONE):
    corners = np.asarray(corners)
    whole = corners.dtype.kind == "i"
    with np.errstate(invalid="ignore"):  # roifile keeps whole numbers of NaN too
        roi = ImagejRoi.frompoints(corners if whole else corners.astype(np.float32))
    roi.roitype, roi.options = kind, options
    if not whole:
        roi.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    return roi.tobytes()


def box(kind, left, top, width, height, diameter=0):
    whole = all(isinstance(side, int) for side in (left, top, width, height))
    sides = [int(np.floor(side)) for side in (left, top, left + width, top + height)]
    roi = ImagejRoi(roitype=kind, left=sides[0], top=sides[1], right=sides[2], bottom=sides[3])
    roi.rounded_rect_arc_size = diameter
    if not whole:
        roi.options = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.xd, roi.yd, roi.widthd, roi.heightd = left, top, width, height
    return roi.tobytes()


def by_axis(subtype, x1, y1, x2, y2, parameter):
    """Make an ellipse by its axis and ratio, or a rotated rectangle by its axis and width."""
    roi = ImagejRoi.frompoints(np.array([[x1, y1], [x2, y2], [x1, y2]], np.float32))
    roi.options, roi.subtype = ROI_OPTIONS.SUB_PIXEL_RESOLUTION, subtype
    content = bytearray(roi.tobytes())
    struct.pack_into(">4f", content, 18, x1, y1, x2, y2)
    struct.pack_into(">f", content, 52, parameter)
    return bytes(content)


def composite(numbers):
    path = np.array(numbers, np.float32)
    return ImagejRoi(
        roitype=ROI_TYPE.RECT, right=1, bottom=1, shape_roi_size=path.size, multi_coordinates=path
    ).tobytes()


def test_centres_on_lower_and_right_edges_are_inside():
    diamond = polygon(np.array([[2, 0], [4, 2], [2, 4], [0, 2]]))
    assert pixels(diamond, (4, 4)).astype(int).tolist() == [
        [0, 0, 1, 0],
        [0, 1, 1, 1],
        [0, 1, 1, 1],
        [0, 0, 1, 0],
    ]
    square = polygon(np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]))
    assert pixels(square, (4, 4)).astype(int).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_boxes_are_of_whole_numbers():
    assert pixels(box(ROI_TYPE.RECT, 0.6, 0.6, 2.0, 1.2), (4, 4)).astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_corners_are_rounded():
    filled = pixels(box(ROI_TYPE.RECT, 0, 0, 6, 5, diameter=4), (5, 6))
    assert filled.astype(int).tolist() == [
        [0, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 0],
    ]


def test_a_spline_bulges_beyond_its_corners():
    corners = np.array([[10, 10], [20, 10], [20, 20], [10, 20]])
    straight, bent = pixels(polygon(corners)), pixels(polygon(corners, options=ROI_OPTIONS.SPLINE_FIT))
    assert straight.sum() == 100
    assert np.argwhere(bent).min(axis=0).tolist() == [8, 8]
    assert np.argwhere(bent).max(axis=0).tolist() == [21, 21]
    assert not bent[8, 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (polygon([[1.0, 1], [np.nan, 2], [3, 3]]), "NaN or infinite"),
        (composite([0, 1, 1, 9, 2, 2]), "a step 9"),
        (
            polygon([[1.0, 1], [1, 2], [3, 3]], ROI_TYPE.FREEHAND, ROI_OPTIONS.SPLINE_FIT),
            "spline through a freehand",
        ),
    ],
)
def test_what_cannot_be_outlined_is_said(content, message):
    with pytest.raises(ValueError, match=message):
        outline(ImagejRoi.frombytes(content), content)


def polygons(random):
    for _ in range(EACH):
        corners = random.integers(0, 40, (random.integers(3, 9), 2))
        yield polygon(corners)
        yield polygon(corners / 2 + 5)
        yield polygon(random.uniform(-3, 45, corners.shape), ROI_TYPE.FREEHAND)
        yield polygon(corners, ROI_TYPE.TRACED)


def splines(random):
    for _ in range(EACH):
        corners = random.integers(5, 35, (random.integers(3, 12), 2))
        yield polygon(corners, options=ROI_OPTIONS.SPLINE_FIT)
        yield polygon(random.uniform(5, 35, corners.shape), options=ROI_OPTIONS.SPLINE_FIT)


def boxes(random):
    for kind in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        for _ in range(EACH):
            sides = random.integers(1, 30, 4).tolist()
            yield box(kind, *sides)
            yield box(kind, *random.uniform(0.1, 30, 4).tolist())
            if kind == ROI_TYPE.RECT:
                yield box(kind, *sides, diameter=int(random.integers(1, 20)))


def ellipses(random):
    for _ in range(EACH):
        ends = random.uniform(5, 35, 4).tolist()
        yield by_axis(ROI_SUBTYPE.ELLIPSE, *ends, random.uniform(0.05, 1))
        yield by_axis(ROI_SUBTYPE.ROTATED_RECT, *ends, random.uniform(1, 20))
        x, y, end = random.choice(np.arange(5, 35), 3, replace=False).tolist()
        yield by_axis(ROI_SUBTYPE.ELLIPSE, x, y, end, y, 0.5)
        yield by_axis(ROI_SUBTYPE.ROTATED_RECT, x, y, x, end, 6)


def composites(random):
    for _ in range(EACH):
        numbers = []
        for _ in range(random.integers(1, 4)):
            numbers += [0, *random.integers(0, 40, 2) / 2]
            for step, count in zip(random.integers(1, 4, 6), random.uniform(0, 40, (6, 6)), strict=True):
                numbers += [step, *count[: 2 * step]]
            numbers += [4]
        yield composite(numbers)


@pytest.mark.usefixtures("needs_imagej")
@pytest.mark.parametrize("kind", [polygons, splines, boxes, ellipses, composites])
def test_pixels_are_those_that_imagej_fills(tmp_path, kind):
    contents = list(kind(np.random.default_rng(7)))
    expected = judged(tmp_path, contents)
    wrong = [at for at, content in enumerate(contents) if (pixels(content) != expected[at]).any()]
    assert expected.any(axis=(1, 2)).mean() > 0.8
    assert wrong == []


@pytest.mark.usefixtures("needs_imagej")
def test_imagej_fills_the_very_pixels_that_were_written(tmp_path):
    labels = np.kron(np.random.default_rng(3).integers(0, 4, (20, 25)), np.ones((2, 2), int))
    imagej.write_objects(tmp_path / "a.zip", "a.png", SIZE, label_shapes(labels, lambda _: "cell"), ["cell"])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        filled = judged(tmp_path, [archive.read(name) for name in archive.namelist()])
    assert all(np.array_equal(each, labels == at) for at, each in enumerate(filled, start=1))
