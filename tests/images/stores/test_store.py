from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores import blocks
from kerasseg.images.stores.store import open_store


def pixels(shape, dtype=np.uint16):
    """Noise: whole numbers, which every type holds."""
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype)


def everything(store):
    return store.read((slice(None),) * (len(store.shape) - 1))


@st.composite
def layouts(draw):
    """An image or a volume, its axes, and one of the ways in which a TIFF can hold them."""
    sides = draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    axes = draw(st.sampled_from(["YX", "YXS", "SYX", "CYX", "ZYX", "ZCYX", "ZYXS"]))
    lengths = {"Y": sides[0], "X": sides[1], "S": 3, "C": 2, "Z": draw(st.integers(2, 4))}
    how = {
        "photometric": "rgb" if "S" in axes else "minisblack",
        "planarconfig": {"YXS": "contig", "ZYXS": "contig", "SYX": "separate"}.get(axes),
        "tile": draw(st.sampled_from([None, (16, 16), (32, 16)])),
        "compression": draw(st.sampled_from([None, "zlib", "lzw"])),
        "bigtiff": draw(st.booleans()),
        "byteorder": draw(st.sampled_from("<>")),
        "metadata": {"axes": axes},
        "ome": draw(st.booleans()),
    }
    if how["tile"] is None:
        how["rowsperstrip"] = draw(st.integers(1, 60))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    return pixels([lengths[axis] for axis in axes], dtype), axes, how


def channels_last(array, axes):
    """What an image looks like that is stored with these axes."""
    order = [axes.index(axis) for axis in "ZYXCS" if axis in axes]
    image = array.transpose(order)
    return image if set(axes) & set("CS") else image[..., np.newaxis]


@settings(deadline=None, max_examples=60)
@given(layout=layouts(), data=st.data())
def test_a_region_of_a_tiff_is_what_numpy_slices(tmp_path_factory, layout, data):
    array, axes, how = layout
    path = tmp_path_factory.getbasetemp() / "layout.tif"
    tifffile.imwrite(path, array, **how)
    expected = channels_last(array, axes)
    with open_store(path) as store:
        assert (store.axes, store.shape) == ("ZYXC"[4 - expected.ndim :], expected.shape)
        assert store.dtype == expected.dtype
        for _ in range(3):
            bounds = [
                sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n + 9))))
                for n in expected.shape[:-1]
            ]
            region = tuple(slice(*pair) for pair in bounds)
            assert_array_equal(store.read(region), expected[region])


def test_what_lies_outside_the_image_is_left_out(tmp_path):
    files.write(tmp_path / "a.tif", pixels((4, 5)))
    with open_store(tmp_path / "a.tif") as store:
        assert store.read((slice(-3, 2), slice(4, 9))).shape == (2, 1, 1)
        assert store.read((slice(7, 9), slice(0, 5))).shape == (0, 5, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_is_upright_by_region_as_it_is_whole(tmp_path, orientation):
    path, array = tmp_path / "turned.tif", pixels((40, 24, 3), np.uint8)
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, array, photometric="rgb", tile=(16, 16), extratags=[tag])
    whole = files.read(path)
    with open_store(path) as store:
        assert store.shape == whole.shape
        assert_array_equal(store.read((slice(3, 21), slice(7, 24))), whole[3:21, 7:24])


@pytest.mark.parametrize("photometric", ["palette", "miniswhite"])
def test_colours_and_white_are_those_of_the_whole_image(tmp_path, photometric):
    path = tmp_path / "meant.tif"
    colours = {"colormap": np.arange(768, dtype=np.uint16).reshape(3, 256) << 6}
    how = colours if photometric == "palette" else {}
    tifffile.imwrite(path, pixels((20, 30), np.uint8), photometric=photometric, **how)
    with open_store(path) as store:
        assert_array_equal(everything(store), files.read(path))


@pytest.mark.parametrize("dtype", [bool, np.int32, np.float64])
def test_other_types_become_those_of_images(tmp_path, dtype):
    path = tmp_path / "other.tif"
    tifffile.imwrite(path, np.arange(12).reshape(3, 4).astype(dtype), photometric="minisblack")
    with open_store(path) as store:
        assert_array_equal(everything(store), files.read(path))
        assert everything(store).dtype == store.dtype == files.read(path).dtype


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_what_can_only_be_decoded_whole_is_a_store_too(tmp_path, suffix):
    path = tmp_path / f"small{suffix}"
    files.write(path, pixels((9, 7, 3), np.uint8))
    with open_store(path) as store:
        assert (store.axes, store.pixel_size) == ("YXC", (None, None))
        assert_array_equal(store.read((slice(2, 5), slice(0, 7))), files.read(path)[2:5])


def test_bands_cover_the_image_once_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasseg.images.stores.store.BAND_BYTES", 2 * 16 * 50 * 2)
    path, volume = tmp_path / "volume.tif", pixels((3, 70, 50))
    tifffile.imwrite(path, volume, tile=(16, 16), metadata={"axes": "ZYX"})
    with open_store(path) as store:
        rows = [(region[0].start, region[1].start, region[1].stop) for region in store.bands()]
        assert rows == [(z, *ends) for z in range(3) for ends in [(0, 32), (32, 64), (64, 70)]]
        read = [store.read(region)[0, ..., 0] for region in store.bands()]
    assert_array_equal(np.concatenate(read), volume.reshape(210, 50))


@pytest.mark.parametrize("how", [{"tile": (32, 32)}, {"rowsperstrip": 8}, {"rowsperstrip": 33}])
def test_each_block_is_decoded_once_by_rows_of_tiles_that_overlap(tmp_path, monkeypatch, how):
    path = tmp_path / "slice.tif"
    tifffile.imwrite(path, pixels((200, 300)), compression="zlib", **how)
    decoded = []
    with open_store(path) as store:
        decode = store._blocks._decode
        monkeypatch.setattr(store._blocks, "_decode", lambda index: decoded.append(index) or decode(index))
        for top in range(0, 200, 40):
            for left in range(0, 300, 40):
                store.read((slice(top - 8, top + 48), slice(left - 8, left + 48)))
        most = 56 + 2 * 33  # rows of a tile, and what blocks reach beyond them
        assert sum(block.shape[-3] for block in store._blocks._kept.values()) <= most * 10
    assert len(decoded) == len(set(decoded))


def test_a_band_that_takes_too_much_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "CACHE_BYTES", 3 * 16 * 16 * 2)
    path, array = tmp_path / "wide.tif", pixels((16, 160))
    tifffile.imwrite(path, array, tile=(16, 16), compression="zlib")
    with open_store(path) as store:
        assert_array_equal(everything(store)[..., 0], array)
        assert len(store._blocks._kept) == 3


@pytest.mark.parametrize("how", [{"imagej": True}, {"metadata": {"axes": "ZYX"}}])
def test_a_stack_of_which_only_the_first_page_is_named_is_read(tmp_path, how):
    path, volume = tmp_path / "huge.tif", pixels((5, 20, 30))
    tifffile.imwrite(path, volume, truncate=True, **how)
    with open_store(path, axes="ZYX") as store:
        assert_array_equal(store.read((slice(1, 4), slice(3, 9), slice(0, 30)))[..., 0], volume[1:4, 3:9])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"huge\.tif: the TIFF is .*truncated"):
        open_store(path, axes="ZYX")


def test_an_image_in_several_files_is_read_as_one(tmp_path):
    first, second = pixels((20, 30)), pixels((20, 30)) + 1
    for name, plane in [("a.ome.tif", first), ("b.ome.tif", second)]:
        tifffile.imwrite(tmp_path / name, plane)
    told = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
        <Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16"
                SizeX="30" SizeY="20" SizeZ="2" SizeC="1" SizeT="1">
        <TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="a.ome.tif">urn:uuid:a</UUID></TiffData>
        <TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="b.ome.tif">urn:uuid:b</UUID></TiffData>
        </Pixels></Image></OME>"""
    tifffile.tiffcomment(tmp_path / "a.ome.tif", told.encode())
    with open_store(tmp_path / "a.ome.tif") as store:
        assert_array_equal(everything(store)[..., 0], [first, second])


def test_real_stacks_are_what_tifffile_reads(shared_data):
    path = shared_data / "nuclei_stardist" / "img3d.tif"
    volume = tifffile.imread(path)
    with open_store(path, axes="ZYX") as store:
        region = (slice(3, 9), slice(10, 50), slice(0, 31))
        assert_array_equal(store.read(region)[..., 0], volume[region])


@pytest.mark.parametrize(
    ("axes", "given", "said"),
    [
        ("TYX", None, "3 points of time"),
        ("QYX", None, 'axes="ZYX"'),
        ("QYX", "ZY", "names 2 axes, expected 3"),
        ("QYX", "YYX", "name one twice"),
        ("ZYX", "ZCX", "not all of"),
    ],
)
def test_axes_that_make_no_image_are_refused(tmp_path, axes, given, said):
    tifffile.imwrite(tmp_path / "stack.tif", pixels((3, 5, 6)), metadata={"axes": axes})
    with pytest.raises(UserError, match=said):
        open_store(tmp_path / "stack.tif", axes=given)


@pytest.mark.parametrize(("axes", "shape"), [("zyx", (3, 5, 6, 1)), ("CYX", (5, 6, 3)), ("YXC", (3, 5, 6))])
def test_axes_that_are_given_are_obeyed(tmp_path, axes, shape):
    array = pixels((3, 5, 6))
    tifffile.imwrite(tmp_path / "stack.tif", array, metadata={"axes": "TYX"})
    with open_store(tmp_path / "stack.tif", axes=axes) as store:
        assert_array_equal(everything(store), channels_last(array, axes.upper()))
        assert store.shape == shape


def test_several_images_in_a_file_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(pixels((5, 6)))
        file.write(pixels((7, 8)))
    with pytest.raises(UserError, match=r"holds 2 images \(5 x 6, 7 x 8\)"):
        open_store(tmp_path / "two.tif")


def test_a_point_of_time_of_a_tiff_is_chosen_behind_its_name(tmp_path):
    movie = np.random.default_rng(0).integers(0, 255, (3, 2, 20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TCYX"})
    with open_store(Path(f"{tmp_path / 'a.tif'}:t=2")) as store:
        assert_array_equal(store.read((slice(None),) * 2), movie[2].transpose(1, 2, 0))
    with pytest.raises(UserError, match=r"dataset='cells' is for files that hold several images"):
        open_store(tmp_path / "a.tif", dataset="cells")


def test_one_channel_is_an_image_of_its_own_also_where_it_is_opened_again(tmp_path):
    image = pixels((4, 5, 3))
    files.write(tmp_path / "a.tif", image)
    with open_store(tmp_path / "a.tif", channel=1) as store, store.opening() as again:
        assert store.shape == again.shape == (4, 5, 1)
        assert_array_equal(everything(store)[..., 0], image[..., 1])
        assert_array_equal(again.read((slice(1, 3), slice(0, 2)))[..., 0], image[1:3, :2, 1])
    with pytest.raises(UserError, match=r"a\.tif: it has no channel 3; expected one from 0 to 2"):
        open_store(tmp_path / "a.tif", channel=3)
