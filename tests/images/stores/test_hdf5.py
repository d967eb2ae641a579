"""HDF5 by region: what is read is what h5py slices, and nothing is read from elsewhere."""

import json
import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images.stores import blocks, hdf5
from kerasseg.images.stores.store import open_store

NOISE = np.random.default_rng(0).integers(1, 60000, (12, 20, 30)).astype(np.uint16)
EVERYWHERE = (slice(None),) * 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.h5"


def written(path, name="raw", array=NOISE, **how):
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=array, **how)
    return path


@st.composite
def datasets(draw):
    """A volume and a way to store it."""
    shape = draw(st.tuples(st.integers(2, 9), st.integers(1, 40), st.integers(5, 40)))
    chunks = draw(st.one_of(st.none(), st.tuples(*(st.integers(1, n) for n in shape))))
    dtype = draw(st.sampled_from(["uint8", "<u2", ">u2", "float32"]))
    packed = {"compression": draw(st.sampled_from([None, "gzip", "lzf"]))} if chunks else {}
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype), {"chunks": chunks, **packed}


@settings(deadline=None, max_examples=40)
@given(stored=datasets(), data=st.data())
def test_a_region_is_what_numpy_slices(tmp_path_factory, stored, data):
    array, how = stored
    path = tmp_path_factory.getbasetemp() / "stored.h5"
    path.unlink(missing_ok=True)
    written(path, array=array, **how)
    with open_store(path) as store:
        assert (store.axes, store.shape) == ("ZYXC", (*array.shape, 1))
        assert store.dtype == array.dtype.newbyteorder("=")
        for _ in range(3):
            bounds = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in array.shape]
            region = tuple(slice(*pair) for pair in bounds)
            assert_array_equal(store.read(region)[..., 0], array[region])


def test_a_dataset_in_one_piece_is_read_in_pieces(path, monkeypatch):
    monkeypatch.setattr(hdf5, "PIECE_BYTES", 2 * 30 * 8)  # eight rows of sixteen bits
    with open_store(written(path)) as store:
        assert store._blocks.block == (1, 8, 30)
        assert_array_equal(
            store.read((slice(3, 9), slice(5, 17), slice(2, 30)))[..., 0], NOISE[3:9, 5:17, 2:]
        )


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((20, 30), None, (20, 30, 1)),
        ((12, 20, 30), None, (12, 20, 30, 1)),
        ((12, 20, 30), "cyx", (20, 30, 12)),
        ((12, 2, 20, 30), "ZCYX", (12, 20, 30, 2)),
        ((12, 20, 30, 2), "ZYXC", (12, 20, 30, 2)),
        ((1, 12, 20, 30, 1), "TZYXC", (12, 20, 30, 1)),
        ((1, 1, 20, 30, 2), None, (20, 30, 2)),  # as ilastik's plugin for Fiji writes
        ((20, 30, 3), None, (20, 30, 3)),
        ((12, 20, 30, 2), None, (12, 20, 30, 2)),
    ],
)
def test_axes_are_those_of_a_volume_or_as_they_are_given(path, shape, axes, expected):
    written(path, array=np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    with open_store(path, axes, dataset="raw") as store:
        assert store.shape == expected


def test_four_axes_are_not_guessed(path):
    with pytest.raises(UserError, match=r"cells\.h5:raw: the image is 2 x 12 x 20 x 30.*Say what they are"):
        open_store(written(path, array=np.stack([NOISE, NOISE])))


def test_axes_that_ilastik_wrote_are_taken(path):
    written(path, array=np.stack([NOISE, NOISE], axis=-1))
    with h5py.File(path, "a") as file:
        file["raw"].attrs["axistags"] = json.dumps({"axes": [{"key": key, "typeFlags": 2} for key in "zyxc"]})
    with open_store(path) as store:
        assert store.shape == (12, 20, 30, 2)


@pytest.mark.parametrize("told", ["{nonsense", '{"axes": [{"key": "z"}]}', "[]", 7])
def test_axes_that_make_no_sense_are_not(path, told):
    with h5py.File(written(path), "a") as file:
        file["raw"].attrs["axistags"] = told
    with open_store(path) as store:
        assert store.axes == "ZYXC"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([2.0, 0.5, 0.25], (2.0, 0.5, 0.25)),
        ([0.5, 0.25], (None, 0.5, 0.25)),
        ([0, 0.5, np.nan], (None, 0.5, None)),
        ([1.0] * 4, (None,) * 3),
        ("large", (None,) * 3),
        (3.0, (None,) * 3),
    ],
)
def test_the_size_of_a_voxel_is_what_its_attribute_says(path, told, expected):
    with h5py.File(written(path), "a") as file:
        file["raw"].attrs["element_size_um"] = told
    with open_store(path) as store:
        assert store.pixel_size == expected


def test_types_become_those_of_images_unless_the_very_numbers_are_asked_for(path):
    written(path, "bits", NOISE % 2 == 0)
    written(path, "ids", NOISE.astype(np.int32) + 2**24)
    with open_store(path, dataset="bits") as store:
        assert_array_equal(np.unique(store.read(EVERYWHERE)), [0, 255])
    with open_store(path, dataset="bits", values=True) as store:
        assert store.read(EVERYWHERE).dtype == store.dtype == bool
    with open_store(path, dataset="ids", values=True) as store:
        assert_array_equal(store.read(EVERYWHERE)[..., 0], NOISE.astype(np.int32) + 2**24)


def test_the_only_image_among_tables_is_found(path):
    written(path, "volumes/raw")
    written(path, "table", np.arange(9))
    written(path, "names", ["a", "b"])
    with open_store(path) as store:
        assert_array_equal(store.read(EVERYWHERE)[..., 0], NOISE)


def test_several_images_are_listed_with_their_shapes(path):
    written(path, "label", NOISE[:2])
    written(path, "volumes/raw")
    listed = r"label \(2 x 20 x 30 uint16\), volumes/raw \(12 x 20 x 30 uint16\)"
    with pytest.raises(UserError, match=rf"cells\.h5: the HDF5 file holds {listed}; expected one.*Name one"):
        open_store(path)
    with pytest.raises(UserError, match=rf"there is no dataset 'rwa'; it holds {listed}"):
        open_store(path, dataset="rwa")
    with pytest.raises(UserError, match="there is no dataset 'volumes'"):
        open_store(path, dataset="volumes")


@pytest.mark.parametrize("named", ["volumes/raw", "/volumes/raw"])
def test_a_dataset_is_named_by_argument_or_behind_the_file(path, named):
    written(path, "label", NOISE[:2])
    written(path, "volumes/raw")
    for how in ({"path": path, "dataset": named}, {"path": Path(f"{path}:{named}")}):
        with open_store(**how) as store:
            assert (store.path, store.shape) == (path, (12, 20, 30, 1))


def test_hdf5_is_known_by_its_content_too(tmp_path):
    with open_store(written(tmp_path / "cells.ims")) as store:
        assert store.axes == "ZYXC"


def test_a_dataset_of_what_is_no_hdf5_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", NOISE)
    with pytest.raises(UserError, match=r"a\.npy: dataset='raw' is for files that hold several images"):
        open_store(tmp_path / "a.npy", dataset="raw")


def test_links_to_other_files_are_refused(path, tmp_path):
    other = written(tmp_path / "other.h5")
    written(path, "label")
    with h5py.File(path, "a") as file:
        file["raw"] = h5py.ExternalLink("other.h5", "raw")
        file["group"] = h5py.ExternalLink("other.h5", "/")
        file["soft"] = h5py.SoftLink("/raw")
    for name in ("raw", "group/raw"):
        with pytest.raises(UserError, match=rf"'{name}' leads to another file, other\.h5"):
            open_store(path, dataset=name)
    with pytest.raises(UserError, match=r"there is no dataset 'soft'; it holds label"):
        open_store(path, dataset="soft")
    other.unlink()
    with open_store(path) as store:  # the label is all that lies here
        assert store.shape == (12, 20, 30, 1)


def test_pixels_in_other_files_are_refused(path, tmp_path):
    source = h5py.VirtualSource(written(tmp_path / "other.h5"), "raw", shape=NOISE.shape)
    layout = h5py.VirtualLayout(NOISE.shape, NOISE.dtype)
    layout[...] = source
    NOISE.tofile(tmp_path / "raw.bin")
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("virtual", layout)
        external = [(os.fspath(tmp_path / "raw.bin"), 0, NOISE.nbytes)]
        file.create_dataset("external", NOISE.shape, NOISE.dtype, external=external)
    for name in ("virtual", "external"):
        with pytest.raises(UserError, match=rf"the pixels of /{name} lie in other files"):
            open_store(path, dataset=name)


@pytest.mark.parametrize("chunks", [(6, 10, 15), None])
def test_what_was_never_written_holds_the_fill_value_which_is_said(path, chunks, capsys, monkeypatch):
    monkeypatch.setattr(blocks, "_said", set())
    with h5py.File(path, "w") as file:
        raw = file.create_dataset("raw", NOISE.shape, NOISE.dtype, chunks=chunks, fillvalue=9)
        if chunks:
            raw[:6] = NOISE[:6]
    with h5py.File(path) as file, open_store(path) as store:
        assert_array_equal(store.read(EVERYWHERE)[..., 0], file["raw"][...])
        assert (store.read((slice(6, 12), slice(None), slice(None))) == 9).all()
    counted = "4 of 8" if chunks else "1 of 1"
    assert f"cells.h5:raw: {counted} chunks are missing; they are read as 9" in capsys.readouterr().out


def test_an_image_is_opened_again_as_it_was(path):
    written(path, chunks=(6, 10, 15))
    with open_store(path, "ZYX", dataset="raw") as store:
        sent = pickle.dumps(store.opening)  # to another process
        with pickle.loads(sent)() as again:
            assert again.opening == store.opening
            whole = (slice(None),) * 3
            np.testing.assert_array_equal(again.read(whole), store.read(whole))


def test_a_damaged_chunk_names_its_region_and_the_rest_is_read(path):
    written(path, chunks=(12, 20, 10), compression="gzip")
    with h5py.File(path) as file:
        chunk = file["raw"].id.get_chunk_info(1)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)
    with open_store(path) as store:
        assert_array_equal(store.read((slice(0, 12), slice(0, 20), slice(0, 10)))[..., 0], NOISE[..., :10])
        with pytest.raises(
            UserError, match=r"cells\.h5: the pixels at Z 0:12, Y 0:20, X 0:11 cannot be read"
        ):
            store.read((slice(0, 12), slice(0, 20), slice(0, 11)))


@pytest.mark.parametrize("content", [b"", b"not an image at all", "cut"])
def test_what_is_damaged_truncated_or_no_hdf5_is_refused(path, content):
    whole = written(path).read_bytes()
    path.write_bytes(whole[:-3000] if content == "cut" else content)
    with pytest.raises(
        UserError, match=r"cells\.h5: (this is not an HDF5 file, or it is damaged|the file is empty)"
    ):
        open_store(path)


def test_a_file_that_is_not_there_is_refused(path):
    for typed in (path, Path(f"{path}:raw")):
        with pytest.raises(UserError, match=r"cells\.h5: there is no such file"):
            open_store(typed)


def test_a_chunk_that_is_absurdly_large_is_refused(path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_PIXELS", 1000)
    with pytest.raises(UserError, match=r"a chunk holds \(2, 20, 30\) pixels; expected at most 1,000"):
        open_store(written(path, chunks=(2, 20, 30)))


def test_a_compression_that_is_unknown_here_is_refused_when_it_is_opened(path, monkeypatch):
    written(path, compression="gzip")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    with pytest.raises(
        UserError, match=r"/raw is compressed by deflate \(1\), which HDF5 cannot decode here"
    ):
        open_store(path)


@pytest.mark.parametrize("array", [NOISE.astype(np.complex64), np.float32(7), np.array(["a"], object)])
def test_what_is_no_array_of_numbers_is_refused(path, array):
    with pytest.raises(UserError, match=r"raw holds .*; expected an array of real numbers"):
        open_store(written(path, array=array), dataset="raw")


def test_real_volumes_are_what_h5py_reads(shared_data):
    path = shared_data / "ovule_plantseg" / "1136_mini.h5"
    region = (slice(20, 60), slice(0, 31), slice(70, 100))
    with h5py.File(path) as file, open_store(Path(f"{path}:raw")) as store:
        assert_array_equal(store.read(region)[..., 0], file["raw"][region])
        assert store.pixel_size == tuple(file["raw"].attrs["element_size_um"])
    with pytest.raises(UserError, match=r"label \(100 x 100 x 100 uint8\), raw \(100 x 100 x 100 uint8\)"):
        open_store(path)


def test_a_hint_names_a_dataset_that_is_there(path):
    written(path, "table", np.arange(9))
    with pytest.raises(UserError, match=r"holds table \(9 int64\); expected one dataset of 2 to 5 axes$"):
        open_store(path)
    written(path, "volumes/a")
    written(path, "volumes/b")
    with pytest.raises(UserError, match=r'such as dataset="volumes/a", or cells\.h5:volumes/a on'):
        open_store(path)


def test_a_point_of_time_is_chosen_behind_the_dataset(path):
    array = np.stack([NOISE, NOISE + 1])[..., np.newaxis]
    written(path, "data", array)
    with pytest.raises(
        UserError, match=r"2 points of time; expected one\. Choose t=0 to t=1, typed FILE:t=0"
    ):
        open_store(path)
    with open_store(Path(f"{path}:data,t=1")) as store:
        assert_array_equal(store.read(EVERYWHERE), array[1])
