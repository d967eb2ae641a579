"""A folder of slices is read as the volume that its planes make, or refused with all that is wrong."""

import cv2
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.store import open_store

VOLUME = np.random.default_rng(0).integers(0, 60000, (12, 20, 30)).astype(np.uint16)
EVERYWHERE = (slice(None),) * 3


def sliced(folder, volume=VOLUME, name="plane{}.tif", first=0, step=1):
    folder.mkdir(exist_ok=True)
    for at, plane in enumerate(volume):
        files.write(folder / name.format(first + at * step), plane)
    return folder


@pytest.mark.parametrize("name", ["plane{}.tif", "plane{:03}.png", "exp7_z{}_w1.tif"])
def test_a_region_is_what_numpy_slices_in_the_order_of_numbers(tmp_path, name):
    with open_store(sliced(tmp_path / "cells", name=name)) as store:  # plane10 comes after plane2
        assert (store.axes, store.shape, store.dtype) == ("ZYXC", (12, 20, 30, 1), np.uint16)
        region = (slice(1, 11), slice(3, 17), slice(8, 30))
        assert_array_equal(store.read(region)[..., 0], VOLUME[region])


def test_numbers_may_begin_anywhere_and_go_up_by_any_step(tmp_path):
    with open_store(sliced(tmp_path / "cells", VOLUME[:4], first=5, step=5)) as store:
        assert_array_equal(store.read(EVERYWHERE)[..., 0], VOLUME[:4])


def test_colours_are_channels(tmp_path):
    colours = np.stack([VOLUME, VOLUME + 1, VOLUME + 2], axis=-1)
    for axes in (None, "ZYX", "zyxc"):
        with open_store(sliced(tmp_path / "cells", colours), axes) as store:
            assert_array_equal(store.read(EVERYWHERE), colours)


def test_files_may_be_channels_instead_of_planes(tmp_path):
    with open_store(sliced(tmp_path / "cells", VOLUME[:2]), "CYX") as store:
        assert store.shape == (20, 30, 2)


def test_axes_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"cells: the image is 12 x 20 x 30 x 1.*names 3 axes, expected 4"):
        open_store(sliced(tmp_path / "cells"), "YX")


def test_what_is_no_plane_is_left_alone(tmp_path):
    folder = sliced(tmp_path / "cells", VOLUME[:3])
    sliced(folder / "thumbnails", VOLUME[:2])
    (folder / "notes.txt").write_text("taken on a Monday")
    (folder / ".plane3.tif").write_bytes(b"")
    with open_store(folder) as store:
        assert store.shape == (3, 20, 30, 1)


def test_the_size_of_a_pixel_is_the_first_planes(tmp_path):
    for at in range(3):
        path = tmp_path / f"z{at}.tif"
        tifffile.imwrite(path, VOLUME[at], imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    with open_store(tmp_path) as store:
        assert store.pixel_size == (None, 0.5, 0.25)


def test_each_plane_is_decoded_once_by_bands(tmp_path, monkeypatch):
    decoded = []
    with open_store(sliced(tmp_path / "cells")) as store:
        decode = store._blocks._decode
        monkeypatch.setattr(store._blocks, "_decode", lambda index: decoded.append(index[0]) or decode(index))
        for band in store.bands():
            store.read(band)
    assert decoded == list(range(12))


def test_indices_are_read_instead_of_a_palettes_colours_where_values_are_asked_for(tmp_path):
    for at in range(2):
        image = Image.fromarray(np.full((4, 5), at + 1, np.uint8), "P")
        image.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0])
        image.save(tmp_path / f"z{at}.png")
    with open_store(tmp_path) as store:
        assert store.read(EVERYWHERE)[:, 0, 0].tolist() == [[250, 0, 0], [0, 250, 0]]
    with open_store(tmp_path, values=True) as store:
        assert store.read(EVERYWHERE)[:, 0, 0].tolist() == [[1], [2]]


def test_values_of_two_types_are_not_forced_into_one(tmp_path):
    for at, dtype in enumerate([np.int32, np.float64]):  # both are float32 as intensities
        tifffile.imwrite(tmp_path / f"z{at}.tif", np.ones((4, 5), dtype))
    with open_store(tmp_path, values=True) as store, pytest.raises(UserError, match=r"z1\.tif is .*float64"):
        store.read(EVERYWHERE)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["cell.tif", "dog.tif"], r"cell\.tif and dog\.tif differ by more than numbers"),
        (["z1.tif", "z1_mask.tif"], "differ by more than numbers"),
        (["z1.tif", "z2.png"], "differ by more than numbers"),
        (["z1.tif", "z01.tif"], "have the same plane number"),
        (["z1_c0.tif", "z1_c1.tif", "z2_c0.tif"], r"z1_c0\.tif and z1_c1\.tif have the same plane number"),
        (["z1.tif", "z2.tif", "z3.tif", "z5.tif"], r"missing between z3\.tif and z5\.tif; .* go up by 1"),
        (["readme.txt"], "neither a Zarr nor a folder of slices"),
    ],
)
def test_names_that_do_not_count_planes_are_refused(tmp_path, names, said):
    folder = tmp_path / "cells"
    folder.mkdir()
    for name in names:
        cv2.imwrite(str(folder / name), VOLUME[0]) if name != "readme.txt" else (folder / name).touch()
    with pytest.raises(UserError, match=rf"cells: .*{said}"):
        open_store(folder)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    folder = sliced(tmp_path / "cells")
    (folder / "plane3.tif").unlink()
    (folder / "plane5.tif").write_bytes(b"nonsense")
    files.write(folder / "plane6.tif", VOLUME[6, :10])
    files.write(folder / "plane7.tif", VOLUME[7].astype(np.uint8))
    tifffile.imwrite(folder / "plane8.tif", VOLUME[:3], metadata={"axes": "ZYX"})
    with pytest.raises(UserError) as raised:
        open_store(folder)
    gap, damaged, *unlike = raised.value.messages
    assert "missing between plane2.tif and plane4.tif" in gap
    assert "plane5.tif" in damaged
    assert [message.partition("plane")[2] for message in unlike] == [
        "6.tif: this plane is 10 x 30 x 1 uint16, most are 20 x 30 x 1 uint16; expected all alike",
        "7.tif: this plane is 20 x 30 x 1 uint8, most are 20 x 30 x 1 uint16; expected all alike",
        "8.tif: the file is a stack of 3 planes; expected a 2-D image",
    ]


def test_a_damaged_plane_names_where_it_is_and_the_rest_is_read(tmp_path):
    folder = sliced(tmp_path / "cells")
    with open_store(folder) as store:
        (folder / "plane4.tif").write_bytes(b"nonsense")
        assert_array_equal(store.read((slice(0, 4), slice(0, 20), slice(0, 30)))[..., 0], VOLUME[:4])
        with pytest.raises(UserError, match=r"plane4\.tif"):
            store.read((slice(4, 6), slice(0, 20), slice(0, 30)))


def test_real_slices_are_read_as_a_volume(shared_data):
    folder = shared_data / "neubias" / "xyz_8bit__em_volume_tiff_series"
    with open_store(folder, "ZYX") as store:
        assert store.shape == (21, 256, 256, 1)
        plane = store.read((slice(20, 21), slice(0, 256), slice(0, 256)))[0, ..., 0]
        assert_array_equal(plane, tifffile.imread(folder / "c_elegans_em_z0020.tif"))
