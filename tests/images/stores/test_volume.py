"""A volume is named, described without its voxels, and read whole, whatever it lies in."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.blocks import Blocks
from kerasseg.images.stores.volume import Volume

VOXELS = np.random.default_rng(0).integers(0, 60000, (5, 20, 30, 2)).astype(np.uint16)
CHANNELS_FIRST = VOXELS.transpose(0, 3, 1, 2)


def as_tiff(folder):
    tifffile.imwrite(folder / "a.tif", CHANNELS_FIRST, metadata={"axes": "QQYX"})
    return Volume(folder / "a.tif", axes="ZCYX")


def as_ome_tiff(folder):
    told = {"axes": "ZCYX", "PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}
    tifffile.imwrite(folder / "a.ome.tif", CHANNELS_FIRST, metadata=told)
    return Volume(folder / "a.ome.tif")


def as_hdf5(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["label"] = VOXELS[..., 0]
        file.create_dataset("raw", data=VOXELS, chunks=(2, 8, 16, 1), compression="gzip")
        file["raw"].attrs["element_size_um"] = (2.0, 0.5, 0.25)
    return Volume(folder / "a.h5", axes="ZYXC", dataset="raw")


def as_slices(folder):
    (folder / "a").mkdir()
    for at, plane in enumerate(VOXELS):
        files.write(folder / "a" / f"z{at}.tif", plane)
    return Volume(folder / "a")


def as_zarr(folder):
    zarr = pytest.importorskip("zarr", minversion="3")
    zarr.save_array(folder / "a.zarr", VOXELS)
    return Volume(folder / "a.zarr", axes="ZYXC")


KINDS = [as_tiff, as_ome_tiff, as_hdf5, as_slices, as_zarr]


@pytest.mark.parametrize("kind", KINDS)
def test_a_volume_is_the_same_in_every_kind_of_file(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("kerasseg.images.stores.store.BAND_BYTES", 3000)  # more bands than one
    volume = kind(tmp_path)
    header = volume.header()
    assert (header.path, header.size, header.channels, header.dtype) == (volume, (5, 20, 30), 2, np.uint16)
    assert header.spacing == ((2.0, 0.5, 0.25) if kind in (as_ome_tiff, as_hdf5) else None)
    assert_array_equal(volume.read(), VOXELS, strict=True)
    assert_array_equal(volume.read_values(), VOXELS, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_reads_no_voxels(tmp_path, kind, monkeypatch):
    volume = kind(tmp_path)
    monkeypatch.setattr(Blocks, "read", None)
    monkeypatch.setattr(files, "read", None)
    assert volume.header().size == (5, 20, 30)


@pytest.mark.parametrize("kind", KINDS)
def test_its_length_is_that_of_its_files(tmp_path, kind):
    volume = kind(tmp_path)
    assert volume.files() == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert volume.stat().st_size == sum(len(path.read_bytes()) for path in volume.files()) > 0


def test_it_is_named_as_it_is_typed(tmp_path):
    assert str(Volume(tmp_path / "a.h5", dataset="raw")) == f"{tmp_path}/a.h5:raw"
    assert str(Volume(tmp_path / "a.tif", axes="ZYX")) == f"{tmp_path}/a.tif"


def test_it_travels_to_other_processes_and_into_sets():
    volume = Volume(Path("a.h5"), dataset="raw")
    assert {pickle.loads(pickle.dumps(volume)), volume} == {volume}


def test_values_are_the_very_numbers(tmp_path):
    ids = np.arange(2**24, 2**24 + 24, dtype=np.int32).reshape(2, 3, 4)
    tifffile.imwrite(tmp_path / "labels.tif", ids, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "bits.tif", ids % 2 == 0, metadata={"axes": "ZYX"}, photometric="miniswhite")
    assert_array_equal(Volume(tmp_path / "labels.tif").read_values()[..., 0], ids, strict=True)
    assert Volume(tmp_path / "labels.tif").read().dtype == np.float32
    assert_array_equal(Volume(tmp_path / "bits.tif").read_values()[..., 0], ids % 2 == 0, strict=True)


def test_a_2d_image_is_no_volume(tmp_path):
    files.write(tmp_path / "a.tif", VOXELS[0])
    for ask in (Volume.header, Volume.read):
        with pytest.raises(UserError, match=r'a\.tif: this is a 2-D image of 20 x 30 .*axes="ZYX"'):
            ask(Volume(tmp_path / "a.tif"))


def test_a_volume_that_memory_cannot_hold_is_only_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasseg.images.headers.MAX_VOXELS", 2999)
    volume, refused = as_hdf5(tmp_path), "the image is 5 x 20 x 30 pixels; expected at most 2,999"
    region = (slice(1, 4), slice(3, 9), slice(10, 30))
    assert_array_equal(volume.read(region), VOXELS[region])
    assert volume.header().in_blocks
    monkeypatch.setattr(Blocks, "read", None)
    with pytest.raises(UserError, match=rf"a\.h5:raw: {refused}"):
        volume.read()
    in_one_piece = Volume(tmp_path / "a.h5", axes="ZYX", dataset="label")
    with pytest.raises(UserError, match=rf"a\.h5:label: {refused}"):
        in_one_piece.header()


@pytest.mark.parametrize(
    ("path", "how", "size", "spacing"),
    [
        ("ovule_plantseg/sample_ovule.h5", {"dataset": "raw"}, (32, 128, 128), (0.235, 0.15, 0.15)),
        ("ovule_plantseg/sample_ovule.h5", {"dataset": "label"}, (32, 128, 128), (0.235, 0.15, 0.15)),
        ("embryo_qcanet/images_raw/8_cell_stage.tif", {}, (51, 120, 122), None),
        ("embryo_qcanet/images_ndn/8_cell_stage.tif", {"axes": "ZYX"}, (51, 120, 122), None),
        ("nuclei_stardist/img3d.tif", {"axes": "ZYX"}, (31, 61, 57), None),
        ("neubias/xyz_8bit__em_volume_tiff_series", {}, (21, 256, 256), None),
        ("neubias/xyz_8bit__mitotic_plate_calibrated.tif", {}, (6, 263, 263), (3.0, 0.0852, 0.0852)),
        ("neubias/xyz_calibrated_16bit__golgi_bfa.tif", {}, (25, 137, 147), (0.3876, 0.3514, 0.3514)),
    ],
)
def test_real_volumes_open(shared_data, path, how, size, spacing):
    volume = Volume(shared_data / path, **how)
    header, voxels = volume.header(), volume.read_values()
    assert (header.size, header.channels) == (size, 1)
    assert header.spacing == (None if spacing is None else pytest.approx(spacing, rel=1e-3))
    assert voxels.shape == (*size, 1)
    assert voxels.std() > 0


def test_two_real_channels_are_last(shared_data):
    path = shared_data / "neubias" / "xyzc_16bit__spots.tif"
    volume = Volume(path)
    assert volume.header().spacing == pytest.approx((0.4, 0.09413, 0.09413), rel=1e-3)
    assert_array_equal(volume.read(), tifffile.imread(path).transpose(0, 2, 3, 1), strict=True)


def test_a_real_stack_that_names_no_axes_says_what_to_do(shared_data):
    with pytest.raises(UserError, match=r'axes \(QYX\) are not all of .*axes="ZYX" for a volume'):
        Volume(shared_data / "nuclei_stardist" / "img3d.tif").header()


def test_real_channels_of_one_plane_are_no_volume(shared_data):
    with pytest.raises(UserError, match="this is a 2-D image of 220 x 204 pixels; expected a volume"):
        Volume(shared_data / "neubias" / "xyc_16bit__nuclei_golgi.tif").header()
