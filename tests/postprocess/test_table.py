"""Tables: names and values of scikit-image, units in the names, CSV and Parquet."""

import csv
import math
import re
import sys

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label, regionprops_table

from kerasseg.errors import UserError
from kerasseg.postprocess import table
from kerasseg.postprocess.measurement import measure
from kerasseg.postprocess.table import Tables, object_columns, without_border

FLAT = (
    "label", "num_pixels", "area", "perimeter", "perimeter_crofton", "axis_major_length", "axis_minor_length",
    "eccentricity", "solidity", "centroid", "bbox", "intensity_mean", "intensity_max",
)  # fmt: skip
SOLID = ("label", "num_pixels", "axis_major_length", "axis_minor_length", "centroid", "bbox")


def blobs(*shape):
    return label(ndimage.gaussian_filter(np.random.default_rng(1).random(shape), 1.5) > 0.5).astype(np.int32)


def without_units(columns):
    return {re.sub("_(um|px)[23]?$", "", name): values for name, values in columns.items()}


@pytest.mark.parametrize("size", [None, 0.5])
def test_an_image_has_what_regionprops_gives(size):
    labels = blobs(50, 60)
    image = np.random.default_rng(0).integers(0, 65536, (50, 60, 3), np.uint16)
    columns = object_columns(measure(labels, image), (size, size))
    judge = regionprops_table(labels, image, FLAT, spacing=(size or 1, size or 1))
    ours = without_units(columns)
    assert len(judge["label"]) > 10
    assert set(judge) <= set(ours)
    for name, values in judge.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-9, atol=1e-6, err_msg=name)
    assert set(ours) - set(judge) == {f"intensity_sum-{channel}" for channel in range(3)}
    for channel in range(3):
        sums = ndimage.sum_labels(image[..., channel], labels, columns["label"])
        assert columns[f"intensity_sum-{channel}"].tolist() == sums.tolist()


def test_a_volume_has_what_regionprops_gives():
    labels = blobs(12, 20, 20)
    size = (1.0, 0.5, 0.25)
    columns = object_columns(measure(labels), size)
    ours = without_units(columns)
    for name, values in regionprops_table(labels, properties=SOLID, spacing=size).items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-9, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(columns["volume_um3"], columns["num_pixels"] * 0.125)
    assert (columns["surface_um2"] > 0).all()


def test_names_say_the_unit():
    found = measure(np.array([[1, 1], [0, 1]]))
    assert {"area_px2", "perimeter_px", "centroid-0_px"} <= object_columns(found, (None, None)).keys()
    assert {"area_um2", "perimeter_um", "centroid-0_um"} <= object_columns(found, (0.5, 0.5)).keys()
    assert {"area_px2", "perimeter_px"} <= object_columns(found, (0.5, None)).keys()


def test_pixels_that_are_not_square_have_croftons_perimeter_alone():
    y, x = np.ogrid[:80, :40]
    disc = np.hypot(y * 0.5 - 20, x - 20) < 15
    columns = object_columns(measure(disc.astype(int)), (0.5, 1.0))
    assert "perimeter_um" not in columns
    assert columns["perimeter_crofton_um"][0] == pytest.approx(2 * math.pi * 15, rel=0.03)
    assert columns["eccentricity"][0] == pytest.approx(0, abs=0.2)


def test_what_touches_the_border_may_be_left_out():
    labels = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 3], [0, 0, 0, 0]])
    kept = without_border(measure(labels, labels[..., None].astype(np.uint8)), labels.shape)
    assert kept.ids.tolist() == [2]
    assert kept.maxima.tolist() == [[2]]
    assert object_columns(kept, (None, None))["perimeter_px"].shape == (1,)


@pytest.fixture
def tables():
    both = Tables()
    labels = np.array([[1, 1, 0], [0, 0, 2]])
    both.add("a", measure(labels), labels.shape, (10.0, 10.0), {1: "cell", 2: "rod"}, ["cell", "rod", "dot"])
    both.add("b", measure(labels * 0 + 1), labels.shape, (None, None))
    return both


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_an_object_and_a_row_an_image_and_class(tables, tmp_path):
    tables.write(tmp_path / "objects.csv")
    objects, images = read(tmp_path / "objects.csv"), read(tmp_path / "objects.images.csv")
    assert [(row["image"], row["class"], row["label"]) for row in objects] == [
        ("a", "cell", "1"),
        ("a", "rod", "2"),
        ("b", "", "1"),
    ]
    assert [row["area_um2"] for row in objects] == ["200", "100", ""]
    assert [row["area_px2"] for row in objects] == ["", "", "6"]
    assert [(row["image"], row["class"], row["count"]) for row in images] == [
        ("a", "cell", "1"),
        ("a", "rod", "1"),
        ("a", "dot", "0"),
        ("b", "", "1"),
    ]
    assert [row["area_share"] for row in images] == ["0.3333333333", "0.1666666667", "0", "1"]
    assert float(images[0]["density_per_mm2"]) == pytest.approx(1 / (6 * 100e-6))
    assert float(images[3]["density_per_px2"]) == pytest.approx(1 / 6)


def test_parquet_has_the_same(tables, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    tables.write(tmp_path / "objects.parquet")
    tables.write(tmp_path / "objects.csv")
    stored = parquet.read_table(tmp_path / "objects.parquet").to_pydict()
    rows = read(tmp_path / "objects.csv")
    assert list(stored) == list(rows[0])
    assert stored["area_um2"] == [200.0, 100.0, None]
    assert stored["label"] == [1, 2, 1]
    assert stored["class"] == ["cell", "rod", ""]


def test_without_pyarrow_parquet_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[parquet\]'; or name a \.csv"):
        table.check_format(tmp_path / "objects.parquet")


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"expected the name of a table, which ends in \.csv or \.parquet"):
        table.check_format(tmp_path / "objects.xlsx")
