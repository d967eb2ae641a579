import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images.stores import blocks
from kerasseg.images.stores.store import open_store

zarr = pytest.importorskip("zarr", minversion="3")
numcodecs = pytest.importorskip("numcodecs")

SHAPES = {"t": 1, "c": 2, "z": 5, "y": 50, "x": 70}
LENGTHS = {"z": 0.002, "y": 500.0, "x": 250.0}
UNITS = {"z": "millimeter", "y": "nanometer", "x": "nanometer"}
KINDS = {"t": "time", "c": "channel"}


def made(path, axes, version, instead=None, **how):
    """Write an OME-Zarr of one level with zarr alone; `instead` replaces what is said of it."""
    array = np.random.default_rng(0).integers(1, 250, [SHAPES[axis] for axis in axes], np.uint16)
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    chunks = {"chunks": tuple(min(length, 16) for length in array.shape)}
    group.create_array("full", shape=array.shape, dtype=array.dtype, **{**chunks, **how})[...] = array
    scale = {"type": "scale", "scale": [LENGTHS.get(axis, 1.0) for axis in axes]}
    image = {
        "axes": [{"name": a, "type": KINDS.get(a, "space"), "unit": UNITS.get(a, "")} for a in axes],
        "datasets": [{"path": "full", "coordinateTransformations": [scale]}],
        **(instead or {}),
    }
    told = {"multiscales": [{"version": version, **image}]}
    group.attrs.update({"ome": told} if version == "0.5" else told)
    return array


def channels_last(array, axes):
    order = [axes.index(axis) for axis in "tzyxc" if axis in axes]
    image = array.transpose(order)[0] if "t" in axes else array.transpose(order)
    return image if "c" in axes else image[..., np.newaxis]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "czyx", "tczyx"])
def test_a_region_is_what_numpy_slices(tmp_path, version, axes):
    expected = channels_last(made(tmp_path / "a.zarr", axes, version), axes)
    with open_store(tmp_path / "a.zarr") as store:
        assert (store.axes, store.shape, store.dtype) == (
            "ZYXC"[4 - expected.ndim :],
            expected.shape,
            np.uint16,
        )
        assert store.pixel_size == (2.0, 0.5, 0.25)[3 - (expected.ndim - 1) :]
        region = (slice(1, 4), slice(13, 37), slice(30, 99))[3 - (expected.ndim - 1) :]
        assert_array_equal(store.read(region), expected[region])


def test_chunks_within_shards_are_read(tmp_path):
    expected = made(tmp_path / "a.zarr", "yx", "0.5", chunks=(8, 8), shards=(32, 32))
    with open_store(tmp_path / "a.zarr") as store:
        assert_array_equal(store.read((slice(5, 45), slice(3, 70)))[..., 0], expected[5:45, 3:70])


def test_scales_of_image_and_level_are_multiplied(tmp_path):
    both = {"coordinateTransformations": [{"type": "scale", "scale": [10, 20]}]}
    made(tmp_path / "a.zarr", "yx", "0.4", both)
    with open_store(tmp_path / "a.zarr") as store:
        assert store.pixel_size == (5.0, 5.0)


@pytest.mark.parametrize(("axes", "given"), [("zyx", ["z", "y", "x"]), ("tczyx", None)])
def test_older_versions_name_axes_by_letters_or_not_at_all(tmp_path, axes, given):
    expected = channels_last(made(tmp_path / "a.zarr", axes, "0.3", {"axes": given}), axes)
    with open_store(tmp_path / "a.zarr") as store:
        assert (store.shape, store.pixel_size) == (expected.shape, (None,) * 3)
        assert_array_equal(store.read((slice(None),) * 3), expected)


def test_a_plain_array_is_told_its_axes(tmp_path):
    zarr.save_array(tmp_path / "a.zarr", np.arange(1, 25).reshape(2, 3, 4).astype(np.uint8))
    with pytest.raises(UserError, match=r"2 x 3 x 4, whose axes .* Say what they are"):
        open_store(tmp_path / "a.zarr")
    with open_store(tmp_path / "a.zarr", axes="CYX") as store:
        assert store.read((slice(1, 2), slice(0, 1))).tolist() == [[[5, 17]]]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_chunk_that_is_left_out_holds_the_fill_value_which_is_said_once(
    tmp_path, version, capsys, monkeypatch
):
    monkeypatch.setattr(blocks, "_said", set())
    made(tmp_path / "a.zarr", "yx", version, fill_value=7)
    full = tmp_path / "a.zarr" / "full"
    (full / ("c/0/1" if version == "0.5" else "0.1")).unlink()
    expected = zarr.open_array(full, mode="r")[...]
    for _ in range(2):
        with open_store(tmp_path / "a.zarr") as store:
            assert_array_equal(store.read((slice(None), slice(None)))[..., 0], expected)
    assert (expected[:16, 16:32] == 7).all()
    assert capsys.readouterr().out.count("full: 1 of 20 chunks are missing; they are read as 7") == 1


def test_a_chunk_that_vanishes_while_others_are_read_is_an_error(tmp_path):
    made(tmp_path / "a.zarr", "yx", "0.5")
    with open_store(tmp_path / "a.zarr") as store:
        (tmp_path / "a.zarr" / "full" / "c" / "1" / "2").unlink()
        assert store.read((slice(0, 16), slice(0, 70))).all()
        with pytest.raises(UserError, match=r"at Y 16:17, X 32:70 cannot be read \(the chunk .* missing"):
            store.read((slice(16, 17), slice(32, 70)))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_chunk_of_blosc_has_the_length_that_its_header_says(tmp_path, version):
    codec = zarr.codecs.BloscCodec() if version == "0.5" else numcodecs.Blosc()
    array = made(tmp_path / "a.zarr", "yx", version, compressors=[codec])
    chunk = tmp_path / "a.zarr" / "full" / ("c/0/0" if version == "0.5" else "0.0")
    with open_store(tmp_path / "a.zarr") as store:
        assert_array_equal(store[:, :][..., 0], array)
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:12] + (len(whole) + 1).to_bytes(4, "little") + whole[16:])
    with (
        open_store(tmp_path / "a.zarr") as store,
        pytest.raises(UserError, match=rf"has {len(whole)} bytes, and its header says {len(whole) + 1}"),
    ):
        store[:, :]


def test_a_damaged_chunk_names_its_region(tmp_path):
    made(tmp_path / "a.zarr", "yx", "0.5")
    (tmp_path / "a.zarr" / "full" / "c" / "1" / "2").write_bytes(b"nonsense")
    with (
        open_store(tmp_path / "a.zarr") as store,
        pytest.raises(UserError, match="at Y 16:17, X 32:70"),
    ):
        store.read((slice(16, 17), slice(32, 70)))


def test_points_of_time_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(SHAPES, "t", 3)
    made(tmp_path / "a.zarr", "tczyx", "0.5")
    with pytest.raises(UserError, match="3 points of time; expected one"):
        open_store(tmp_path / "a.zarr")


@pytest.mark.parametrize("metadata", ["{}", "{nonsense", '{"zarr_format": 3, "node_type": "group"}', None])
def test_a_folder_that_is_no_image_is_refused(tmp_path, metadata):
    (tmp_path / "a.zarr").mkdir()
    if metadata is not None:
        (tmp_path / "a.zarr" / "zarr.json").write_text(metadata)
    with pytest.raises(
        UserError, match=r"a\.zarr: (this folder is not an OME-Zarr|the Zarr has no multiscales)"
    ):
        open_store(tmp_path / "a.zarr")


@pytest.mark.parametrize("broken", [{"datasets": []}, {"datasets": [{"path": "gone"}]}, {"axes": [{}] * 2}])
def test_broken_metadata_are_refused(tmp_path, broken):
    made(tmp_path / "a.zarr", "yx", "0.4", broken)
    with pytest.raises(
        UserError, match=r"a\.zarr: this folder is not an OME-Zarr, or its metadata are damaged"
    ):
        open_store(tmp_path / "a.zarr")


def test_without_zarr_a_user_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[zarr\]'"):
        open_store(tmp_path / "a.zarr")


def test_axes_and_scale_of_version_0_6_come_from_its_coordinate_systems(tmp_path):
    steps = [{"type": "scale", "scale": [4, 3, 2]}, {"type": "translation", "translation": [1, 1, 1]}]
    scale = {"type": "sequence", "input": "full", "output": "physical", "transformations": steps}
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    systems = [{"name": "other", "axes": axes[::-1]}, {"name": "physical", "axes": axes}]
    instead = {"datasets": [{"path": "full", "coordinateTransformations": [scale]}]}
    expected = made(tmp_path / "a.zarr", "zyx", "0.5", instead)
    group = zarr.open_group(tmp_path / "a.zarr", mode="a")
    told = group.attrs["ome"]
    del told["multiscales"][0]["axes"]
    told["multiscales"][0]["coordinateSystems"] = systems
    group.attrs["ome"] = told | {"version": "0.6"}
    with open_store(tmp_path / "a.zarr") as store:
        assert (store.axes, store.pixel_size) == ("ZYXC", (4.0, 3.0, 2.0))
        assert_array_equal(store.read((slice(None),) * 3)[..., 0], expected)


def test_the_only_image_of_bioformats2raw_is_taken_and_several_are_named(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    root.create_group("OME").attrs["series"] = ["0"]
    first = made(tmp_path / "a.zarr" / "0", "cyx", "0.4")
    with open_store(tmp_path / "a.zarr") as store:
        assert_array_equal(store.read((slice(None),) * 2), first.transpose(1, 2, 0))
    second = made(tmp_path / "a.zarr" / "1", "zyx", "0.4")
    with pytest.raises(UserError, match=r"holds 0, 1, OME; expected one image. Name one, such as a\.zarr:0"):
        open_store(tmp_path / "a.zarr")
    with open_store(tmp_path / "a.zarr", dataset="1") as store:
        assert_array_equal(store.read((slice(None),) * 3)[..., 0], second)
    with pytest.raises(UserError, match=r"there is nothing named '\.\./a\.zarr/0'; it holds 0, 1, OME"):
        open_store(tmp_path / "a.zarr", dataset="../a.zarr/0")


def test_a_plate_says_where_its_images_are(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": "B/03"}]}
    well = root.create_group("B/03")
    well.attrs["well"] = {"images": [{"path": "0"}]}
    expected = made(tmp_path / "a.zarr" / "B" / "03" / "0", "yx", "0.4")
    with pytest.raises(
        UserError, match=r"is a plate; its wells \(B/03\).*Give one, such as .*a\.zarr:B/03/0"
    ):
        open_store(tmp_path / "a.zarr")
    with open_store(tmp_path / "a.zarr:B/03") as store:
        assert_array_equal(store.read((slice(None),) * 2)[..., 0], expected)


def test_an_array_names_its_own_dimensions(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    names = {"dimension_names": ["channel", "y", "x"]}
    zarr.create_array(tmp_path / "a.zarr", data=array, zarr_format=3, **names)
    zarr.create_array(tmp_path / "b.zarr", data=array, zarr_format=2)
    zarr.open_array(tmp_path / "b.zarr", mode="a").attrs["_ARRAY_DIMENSIONS"] = ["z", "y", "x"]
    with open_store(tmp_path / "a.zarr") as channels, open_store(tmp_path / "b.zarr") as planes:
        assert (channels.shape, planes.shape) == ((3, 4, 2), (2, 3, 4, 1))
        assert_array_equal(channels.read((slice(None),) * 2), array.transpose(1, 2, 0))


def test_the_only_array_of_a_group_is_taken(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    root.create_array("raw", data=np.ones((3, 4), np.uint8), dimension_names=["y", "x"])
    with open_store(tmp_path / "a.zarr") as store:
        assert store.shape == (3, 4, 1)


def test_a_point_of_time_is_chosen_by_its_number(tmp_path, monkeypatch):
    monkeypatch.setitem(SHAPES, "t", 3)
    made(tmp_path / "a.zarr", "tczyx", "0.5")
    whole = zarr.open_array(tmp_path / "a.zarr" / "full", mode="r")[...]
    with open_store(tmp_path / "a.zarr:t=2") as store:
        assert_array_equal(store.read((slice(None),) * 3), whole[2].transpose(1, 2, 3, 0))
    with pytest.raises(UserError, match="there is no t=3; expected t=0 to t=2"):
        open_store(tmp_path / "a.zarr", dataset="t=3")
    with pytest.raises(UserError, match="t=last is not a point of time; expected a number from 0"):
        open_store(tmp_path / "a.zarr", dataset="t=last")
