from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from kerasseg.errors import Notice
from kerasseg.images.calibration import micrometres, of_tiff
from kerasseg.images.stores.store import open_store

PLANES = np.zeros((2, 3, 4), np.uint8)


def size_of(path, **how):
    tifffile.imwrite(path, PLANES, photometric="minisblack", **how)
    with open_store(path, axes="ZYX") as store:
        return store.pixel_size


def test_ome_names_a_unit_or_means_micrometres(tmp_path):
    told = {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeZ": 0.002}
    told |= {"PhysicalSizeZUnit": "mm", "axes": "ZYX"}
    assert size_of(tmp_path / "a.ome.tif", metadata=told) == (2.0, 0.5, 0.25)


@pytest.mark.parametrize(
    "told", [{}, {"PhysicalSizeX": 0}, {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}]
)
def test_ome_that_says_nothing_of_use_leaves_it_unknown(tmp_path, told):
    assert size_of(tmp_path / "a.ome.tif", metadata={"axes": "ZYX", **told}) == (None, None, None)


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_has_it_in_resolution_spacing_and_unit(tmp_path, unit):
    how = {"imagej": True, "resolution": (4, 2), "metadata": {"axes": "ZYX", "spacing": 2.0, "unit": unit}}
    assert size_of(tmp_path / "a.tif", **how) == (2.0, 0.5, 0.25)


def test_imagej_without_a_unit_leaves_it_unknown(tmp_path):
    how = {"imagej": True, "resolution": (4, 2), "metadata": {"axes": "ZYX"}}
    assert size_of(tmp_path / "a.tif", **how) == (None, None, None)


def test_a_plain_tiff_has_it_in_centimetres_and_not_in_dots_per_inch(tmp_path):
    dots = {"resolution": (40000, 20000)}
    assert size_of(tmp_path / "a.tif", **dots, resolutionunit="CENTIMETER") == (None, 0.5, 0.25)
    assert size_of(tmp_path / "a.tif", **dots, resolutionunit="INCH") == (None, None, None)


@pytest.mark.parametrize(
    ("length", "unit"), [(0, "µm"), (-1, "µm"), (np.nan, "µm"), (np.inf, "µm"), (1, "parsec")]
)
def test_lengths_that_make_no_sense_are_unknown(length, unit):
    assert micrometres(length, unit) is None


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("xy_8bit__em_mitochondria_er.tif", (0.008, 0.008)),
        ("xyz_8bit__mitotic_plate_calibrated.tif", (3.0, 0.085196, 0.085196)),
        ("xyzc_16bit__spots.tif", (0.4, 0.094134, 0.094134)),
        ("xy_float__nuclei_probability.tif", (None, None)),
    ],
)
def test_real_images_say_it(shared_data, name, size):
    (path,) = (shared_data / "neubias").rglob(name)
    with open_store(path) as store:
        assert store.pixel_size == (size if size[0] is None else pytest.approx(size, rel=1e-5))


@pytest.mark.parametrize("unit", ["micrometers", "Microns", "μm", r"\u03BCm", " um ", "micrometre"])
def test_one_micrometre_by_its_many_names(unit):
    assert micrometres(2, unit) == 2


@pytest.mark.parametrize(
    ("unit", "size"), [("nanometers", 1e-3), (r"\u00C5", 1e-4), ("inches", 25_400.0), ("cm", 1e4)]
)
def test_other_units(unit, size):
    assert micrometres(1, unit) == pytest.approx(size)


def imagej(path, **said):
    return size_of(path, imagej=True, resolution=(4, 2), metadata={"axes": "ZYX", **said})


def test_imagej_may_name_a_unit_for_each_axis(tmp_path):
    assert imagej(tmp_path / "a.tif", unit="um", zunit="nm", spacing=300) == pytest.approx((0.3, 0.5, 0.25))
    assert imagej(tmp_path / "b.tif", unit="um", yunit="mm", spacing=3) == (3.0, 500.0, 0.25)


def test_imagej_leaves_out_a_depth_of_one(tmp_path):
    assert imagej(tmp_path / "a.tif", unit="um") == (1.0, 0.5, 0.25)


def test_seconds_are_no_size_and_the_loss_is_said(tmp_path):
    with pytest.warns(Notice, match=r"a\.tif: the size of a pixel is left out.* Z 30 sec"):
        assert imagej(tmp_path / "a.tif", unit="um", zunit="sec", spacing=30) == (None, 0.5, 0.25)


def test_pixels_are_no_loss(tmp_path, recwarn):
    assert imagej(tmp_path / "a.tif", unit="pixel", spacing=2) == (None, None, None)
    assert not [warning for warning in recwarn if warning.category is Notice]


def test_metamorph_s_calibration_is_read_as_tifffile_gives_it():
    tags = {"XCalibration": 0.645, "YCalibration": 0.645, "CalibrationUnits": "um", "ZDistance": [2.0, 2.0]}
    file = SimpleNamespace(flags={"stk"}, stk_metadata=tags, filename="a.stk")
    assert of_tiff(file, "ZYX") == (2.0, 0.645, 0.645)


@pytest.mark.parametrize(
    ("flag", "metadata"),
    [
        ("lsm", {"lsm_metadata": {"VoxelSizeX": 2.5e-7, "VoxelSizeY": 5e-7, "VoxelSizeZ": 2e-6}}),
        ("fei", {"fei_metadata": {"Scan": {"PixelWidth": 2.5e-7, "PixelHeight": 5e-7}}}),
        ("sis", {"sis_metadata": {"pixelsizex": 2.5e-7, "pixelsizey": 5e-7}}),
        (
            "metaseries",
            {
                "metaseries_metadata": {
                    "PlaneInfo": {
                        "spatial-calibration-x": 0.25,
                        "spatial-calibration-y": 0.5,
                        "spatial-calibration-units": "um",
                    }
                }
            },
        ),
        (
            "fluoview",
            {"fluoview_metadata": {"Dimensions": [("X", 8, 0, 0.25, "um"), ("Y", 6, 0, 0.5, "um")]}},
        ),
    ],
)
def test_makers_tags_are_read_as_tifffile_gives_them(flag, metadata):
    file = SimpleNamespace(flags={flag}, filename="a.tif", **metadata)
    assert of_tiff(file, "YX") == pytest.approx((0.5, 0.25))


def test_a_maker_s_broken_tags_are_no_reason_to_refuse_the_pixels():
    page = SimpleNamespace(resolutionunit=2)
    file = SimpleNamespace(flags={"fei"}, filename="a", fei_metadata={}, pages=SimpleNamespace(first=page))
    assert of_tiff(file, "YX") == (None, None)
