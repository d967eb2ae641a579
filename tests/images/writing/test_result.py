"""Results on their way into files."""

import errno
import re
import tracemalloc
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.images.writing.result import SHRINKS, Halved, Result, levels
from kerasseg.images.writing.tiff import write_tiff

SHAPES = {"YX": (1100, 600), "ZYX": (3, 40, 600), "YXC": (600, 530, 2), "ZYXC": (2, 30, 540, 3)}


def result(axes, dtype, **how):
    pixels = np.random.default_rng(0).integers(0, 250, SHAPES[axes]).astype(dtype)
    size = (0.5, 0.25) if "Z" not in axes else (2.0, 0.5, 0.25)
    return Result(pixels, axes, size, **{"shrink": "nearest", **how})


def test_napari_opens_labels_as_labels_of_the_file_s_name(tmp_path):
    napari = pytest.importorskip("napari.components", reason="napari is not installed")
    pytest.importorskip("npe2").PluginManager.instance().discover()
    for axes in ("YX", "ZYX"):
        labels = result(axes, np.int32)
        write_tiff(tmp_path / "a.labels.ome.tif", labels)
        viewer = napari.ViewerModel()
        viewer.open(str(tmp_path / "a.labels.ome.tif"), plugin="napari")
        (layer,) = viewer.layers
        assert (type(layer).__name__, layer.name) == ("Labels", "a.labels.ome")
        assert_array_equal(layer.data, labels.pixels)


def channels_last(array, axes):
    return np.moveaxis(array, axes.index("C"), -1) if "C" in axes else array


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_tifffile_reads_what_was_written(tmp_path, axes, dtype):
    written = result(axes, dtype)
    write_tiff(tmp_path / "a.ome.tif", written)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        series = file.series[0]
        assert (len(file.series), series.kind, file.is_bigtiff) == (1, "ome", False)
        assert series.axes == {"YX": "YX", "ZYX": "ZYX", "YXC": "CYX", "ZYXC": "ZCYX"}[axes]
        read = channels_last(series.asarray(), series.axes)
        assert read.dtype == dtype
        assert_array_equal(read, written.pixels)


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("shrink", ["nearest", "area"])
def test_smaller_levels_are_those_of_every_plane(tmp_path, axes, shrink):
    written = result(axes, np.float32, shrink=shrink)
    write_tiff(tmp_path / "a.ome.tif", written)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        series = file.series[0]
        read = [channels_last(level.asarray(), level.axes) for level in series.levels]
        assert len(read) == {"YX": 3}.get(axes, 2)
    for number, level in enumerate(read):
        planes = level.reshape(written.planes, *level.shape["Z" in axes :][:2], written.depth)
        for plane, channel in np.ndindex(written.planes, written.depth):
            assert_array_equal(planes[plane, ..., channel], written.pyramid(plane, channel)[number][:])


def test_pixel_size_and_channels_are_in_the_metadata_and_in_the_tags(tmp_path):
    write_tiff(tmp_path / "a.ome.tif", result("ZYXC", np.float32, channels=("cell", "edge", "dirt")))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
        page = file.pages[0]
        dots = [page.get_resolution(tifffile.RESUNIT.CENTIMETER), page.pages[0].get_resolution("CENTIMETER")]
    lengths = {axis: float(pixels.get(f"PhysicalSize{axis}")) for axis in "ZYX"}
    assert lengths == {"Z": 2.0, "Y": 0.5, "X": 0.25}
    assert {pixels.get(f"PhysicalSize{axis}Unit") for axis in "ZYX"} == {"µm"}
    assert [channel.get("Name") for channel in pixels.iterfind("{*}Channel")] == ["cell", "edge", "dirt"]
    assert dots == [(40000, 20000), (20000, 10000)]


@pytest.mark.parametrize("axes", SHAPES)
def test_a_store_reads_what_was_written_with_its_pixel_size(tmp_path, axes):
    written = result(axes, np.uint16)
    write_tiff(tmp_path / "a.ome.tif", written)
    with open_store(tmp_path / "a.ome.tif") as store:
        assert (store.axes.removesuffix("C"), store.pixel_size) == (written.space, written.pixel_size)
        whole = store.read((slice(None),) * len(written.space))
    assert_array_equal(whole.reshape(written.pixels.shape), written.pixels)


def test_an_unknown_pixel_size_stays_unknown(tmp_path):
    write_tiff(tmp_path / "a.tif", Result(np.ones((3, 4), np.uint8), "YX", (None, None), "nearest"))
    with open_store(tmp_path / "a.tif") as store:
        assert store.pixel_size == (None, None)


def test_a_file_is_told_from_others_by_its_pixels_alone(tmp_path):
    mask = np.zeros((600, 20), np.uint8)
    for name in ("a", "again"):
        write_tiff(tmp_path / name, Result(mask, "YX", (None, None), "nearest"))
    mask[599, 19] = 1
    write_tiff(tmp_path / "other", Result(mask, "YX", (None, None), "nearest"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "again").read_bytes()
    a, other = (tifffile.TiffFile(tmp_path / name).ome_metadata for name in ("a", "other"))
    assert re.search('UUID="(.*?)"', a)[1] != re.search('UUID="(.*?)"', other)[1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (17, 513)])
def test_images_of_any_shape_are_written(tmp_path, shape):
    mask = np.random.default_rng(0).integers(0, 3, shape, np.uint8)
    write_tiff(tmp_path / "a.tif", Result(mask, "YX", (None, None), "nearest"))
    assert_array_equal(tifffile.imread(tmp_path / "a.tif"), mask)


def test_memory_does_not_grow_with_the_height(tmp_path):
    def peak(height):
        mask = np.memmap(tmp_path / "mask", np.uint8, "w+", shape=(height, 1000))
        tracemalloc.start()
        write_tiff(tmp_path / "a.tif", Result(mask, "YX", (None, None), "nearest"))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(8000) < peak(4000) + 2**18


def test_more_than_4_gb_become_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasseg.images.writing.tiff.CLASSIC_BYTES", 1000)
    write_tiff(tmp_path / "a.tif", result("YX", np.uint8))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff


def test_nothing_is_left_of_a_file_that_cannot_be_finished(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kerasseg.images.writing.result.Halved.__getitem__", full)
    with pytest.raises(UserError, match=r"a\.tif: it cannot be written \(No space left"):
        write_tiff(tmp_path / "a.tif", result("YX", np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("axes", "size"), [("YXC", (1.0, 1.0)), ("XY", (1.0, 1.0)), ("YX", (1.0,))])
def test_axes_and_sizes_that_do_not_fit_the_array_are_refused(axes, size):
    with pytest.raises(ValueError, match=r"axes|pixel size"):
        Result(np.zeros((3, 4), np.uint8), axes, size, "nearest")


def test_probabilities_in_bytes_have_levels_by_area(tmp_path):
    scaled = np.full((600, 20, 2), 100, np.uint8)
    scaled[1::2] = 200
    write_tiff(tmp_path / "a.tif", Result(scaled, "YXC", (None, None), "area"))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        smaller = file.series[0].levels[1].asarray()
    assert (smaller.dtype, smaller.shape, np.unique(smaller).tolist()) == (np.uint8, (2, 300, 10), [150])


PLANE = np.array(
    [
        [1, 3, 5, 7, 9],
        [5, 7, 9, 11, 3],
        [4, 4, 8, 8, 6],
    ],
    np.float32,
)


def test_a_mean_is_taken_of_four_pixels_and_of_fewer_at_the_end():
    assert Halved(PLANE, SHRINKS["area"])[:].tolist() == [[4, 8, 6], [4, 8, 6]]


def test_the_nearest_is_one_of_the_four():
    assert Halved(PLANE, SHRINKS["nearest"])[:].tolist() == [[7, 11, 3], [4, 8, 6]]


@pytest.mark.parametrize("shape", [(1025, 700), (1, 2000), (1024, 513)])
@pytest.mark.parametrize(
    ("shrink", "dtype"),
    [("nearest", np.uint8), ("nearest", np.int32), ("area", np.uint8), ("area", np.float32)],
)
def test_levels_are_the_same_by_bands_as_whole(shrink, shape, dtype):
    plane = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    for level in levels(plane, shrink):
        bands = [level[top : top + 96] for top in range(0, level.shape[0], 96)]
        assert_array_equal(np.concatenate(bands), level[:])
        assert (level[:].shape, level[:].dtype) == (level.shape, dtype)


def test_levels_halve_until_they_fit_a_tile():
    assert [level.shape for level in levels(np.zeros((1025, 700), np.uint8), "nearest")] == [
        (1025, 700),
        (513, 350),
        (257, 175),
    ]
    assert len(levels(np.zeros((512, 30), np.uint8), "nearest")) == 1


def test_an_unknown_way_is_answered_with_those_known():
    with pytest.raises(UserError, match="area, nearest"):
        levels(PLANE, "nearst")
