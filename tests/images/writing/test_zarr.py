import errno

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.zarr import VERSION, write_zarr

zarr = pytest.importorskip("zarr", minversion="3")

SHAPES = {"YX": (600, 530), "ZYX": (18, 40, 600), "YXC": (600, 530, 2), "ZYXC": (2, 30, 540, 3)}


def result(axes, dtype=np.uint8, **how):
    pixels = np.random.default_rng(0).integers(0, 250, SHAPES[axes]).astype(dtype)
    size = (0.5, 0.25) if "Z" not in axes else (2.0, 0.5, 0.25)
    return Result(pixels, axes, size, **{"shrink": "nearest", **how})


def multiscales(path):
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    return attributes.get("ome", attributes)["multiscales"]


@pytest.mark.parametrize("axes", SHAPES)
def test_zarr_reads_what_was_written_with_every_chunk(tmp_path, axes):
    written = result(axes, np.float32)
    written.pixels[..., :300, :] = 0  # chunks of nothing else are written all the same
    write_zarr(tmp_path / "a.ome.zarr", written)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    stored = group["0"][:]
    assert_array_equal(np.moveaxis(stored, 0, -1) if "C" in axes else stored, written.pixels)
    assert group.metadata.zarr_format == 3
    assert all(group[name].nchunks_initialized == group[name].nchunks for name in group)


@pytest.mark.parametrize("axes", SHAPES)
def test_smaller_levels_are_those_of_every_plane(tmp_path, axes):
    written = result(axes, np.float32, shrink="area")
    write_zarr(tmp_path / "a.zarr", written)
    smaller = zarr.open_group(tmp_path / "a.zarr", mode="r")["1"][:]
    planes = smaller.reshape(written.depth, written.planes, *smaller.shape[-2:])
    for channel, plane in np.ndindex(planes.shape[:2]):
        assert_array_equal(planes[channel, plane], written.pyramid(plane, channel)[1][:])


def test_metadata_name_axes_and_sizes(tmp_path):
    write_zarr(tmp_path / "cells.ome.zarr", result("ZYXC"))
    (image,) = multiscales(tmp_path / "cells.ome.zarr")
    assert image["name"] == "cells"
    assert [axis["name"] for axis in image["axes"]] == list("czyx")
    assert [axis.get("unit") for axis in image["axes"]] == [None, *["micrometer"] * 3]
    assert [level["coordinateTransformations"] for level in image["datasets"]] == [
        [{"type": "scale", "scale": [1, 2, 0.5, 0.25]}],
        [
            {"type": "scale", "scale": [1, 2, 1, 0.5]},
            {"type": "translation", "translation": [0, 0, 0.25, 0.125]},
        ],
    ]


@pytest.mark.parametrize("axes", SHAPES)
def test_ome_zarr_reads_what_was_written(tmp_path, axes):
    io, reader = pytest.importorskip("ome_zarr.io"), pytest.importorskip("ome_zarr.reader")
    written = result(axes)
    write_zarr(tmp_path / "a.ome.zarr", written)
    (node,) = reader.Reader(io.parse_url(tmp_path / "a.ome.zarr"))()
    assert [axis["name"] for axis in node.metadata["axes"]] == [a for a in "czyx" if a.upper() in axes]
    read = np.asarray(node.data[0])
    assert_array_equal(np.moveaxis(read, 0, -1) if "C" in axes else read, written.pixels)
    assert len(node.data) == 2


@pytest.mark.parametrize("axes", SHAPES)
def test_metadata_keep_to_the_specification(tmp_path, axes):
    models = pytest.importorskip("ome_zarr_models")
    write_zarr(tmp_path / "a.ome.zarr", result(axes))
    image = models.open_ome_zarr(zarr.open_group(tmp_path / "a.ome.zarr", mode="r"))
    assert image.ome_zarr_version == VERSION


@pytest.mark.parametrize("axes", SHAPES)
def test_a_store_reads_what_was_written_with_its_pixel_size(tmp_path, axes):
    written = result(axes, np.uint16)
    write_zarr(tmp_path / "a.ome.zarr", written)
    with open_store(tmp_path / "a.ome.zarr") as store:
        assert (store.axes.removesuffix("C"), store.pixel_size) == (written.space, written.pixel_size)
        whole = store.read((slice(None),) * len(written.space))
    assert_array_equal(whole.reshape(written.pixels.shape), written.pixels)


def test_a_zarr_is_replaced_and_any_other_folder_is_not(tmp_path):
    for value in (1, 2):
        write_zarr(
            tmp_path / "a.zarr", Result(np.full((3, 4), value, np.uint8), "YX", (None, None), "nearest")
        )
    assert (zarr.open_group(tmp_path / "a.zarr", mode="r")["0"][:] == 2).all()
    (tmp_path / "precious").mkdir()
    with pytest.raises(UserError, match="is not a Zarr, so it is not replaced"):
        write_zarr(tmp_path / "precious", result("YX"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "precious"]


def test_nothing_is_left_of_a_folder_that_cannot_be_finished(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kerasseg.images.writing.result.Halved.__getitem__", full)
    with pytest.raises(UserError, match=r"a\.zarr: it cannot be written \(No space left"):
        write_zarr(tmp_path / "a.zarr", result("YX"))
    assert list(tmp_path.iterdir()) == []
