import numpy as np
import pytest
import tifffile

from kerasseg.images.calibration import micrometres
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
