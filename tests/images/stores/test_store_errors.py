"""Files that are damaged, lost or absurd: each is refused with its name and what to do."""

import errno
import struct

import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store

NOISE = np.random.default_rng(0).integers(0, 60000, (64, 96)).astype(np.uint16)
EVERYWHERE = (slice(None), slice(None))


@pytest.fixture
def tiled(tmp_path):
    path = tmp_path / "slice.tif"
    tifffile.imwrite(path, NOISE, tile=(32, 32), compression="zlib")
    return path


def tile_place(path, number):
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        return page.dataoffsets[number], page.databytecounts[number]


def overwrite(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def with_tag(path, code, value):
    """Give a tag of one 16- or 32-bit number another value."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[code]
        at, letter = tag.valueoffset, {3: "H", 4: "I"}[tag.dtype]
    overwrite(path, at, struct.pack(f"<{letter}", value))


def test_a_damaged_tile_names_its_region_and_the_rest_is_read(tiled):
    start, count = tile_place(tiled, 4)  # rows 32 to 64, columns 32 to 64
    overwrite(tiled, start, b"\xff" * count)
    with open_store(tiled) as store:
        assert (store.read((slice(0, 32), slice(0, 96)))[..., 0] == NOISE[:32]).all()
        with pytest.raises(UserError, match=r"slice\.tif: the pixels at Y 30:40, X 0:40 cannot be read"):
            store.read((slice(30, 40), slice(0, 40)))


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": (32, 32)}])
def test_a_truncated_file_is_refused_when_it_is_opened(tmp_path, how):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, NOISE, **how)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UserError, match=r"cut\.tif: the TIFF is truncated.*copy it again"):
        open_store(path)


@pytest.mark.parametrize("how", [{}, {"tile": (32, 32), "compression": "zlib"}])
def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path, how):
    path = tmp_path / "shrinks.tif"
    tifffile.imwrite(path, NOISE, **how)
    with open_store(path) as store:
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(UserError, match="bytes too early"):
            store.read(EVERYWHERE)


def test_a_file_that_is_gone_says_so(tiled, monkeypatch):
    def stale(index):
        raise OSError(errno.ESTALE, "Stale file handle")

    with open_store(tiled) as store:
        tiled.unlink()  # here it could still be read; on a network's disk it could not
        monkeypatch.setattr(store._blocks, "_decode", stale)
        with pytest.raises(UserError, match="vanished while it was read at Y 0:64, X 0:96; bring it back"):
            store.read(EVERYWHERE)


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        (259, 9999, "unknown"),  # compression
        (317, 77, "unknown"),  # predictor
        (256, 0, "expected at least one pixel|damaged"),  # width
        (256, 2**30, "strips or tiles|damaged"),
        (322, 2**28, "single tile holds"),  # width of a tile
    ],
)
def test_tags_that_make_no_sense_are_refused_when_it_is_opened(tmp_path, code, value, said):
    path = tmp_path / "odd.tif"
    wide = 70000  # so that widths take 32 bits
    tifffile.imwrite(path, np.zeros((16, wide), np.uint8), tile=(16, 65536), compression="zlib", predictor=2)
    with_tag(path, code, value)
    with pytest.raises(UserError, match=rf"odd\.tif.*({said})"):
        open_store(path)


def test_a_strip_that_is_absurdly_large_is_refused(tiled, monkeypatch):
    monkeypatch.setattr("kerasseg.images.stores.tiffblocks.MAX_PIXELS", 1000)
    with pytest.raises(UserError, match=r"a single tile holds 1 x 32 x 32 pixels.*Save the image in tiles"):
        open_store(tiled)


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", NOISE.astype(np.complex64))
    with pytest.raises(UserError, match="pixels of type complex64"):
        open_store(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"not an image at all"])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif: "):
        open_store(tmp_path / "a.tif")


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.tif: there is no such file"):
        open_store(tmp_path / "a.tif")


def test_a_plane_that_is_missing_is_not_taken_for_black(tmp_path):
    path = tmp_path / "part.ome.tif"
    tifffile.imwrite(path, np.stack([NOISE, NOISE]), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        told = file.ome_metadata
    tifffile.tiffcomment(path, told.replace('SizeZ="2"', 'SizeZ="3"').encode())
    with pytest.raises(UserError, match=r"part\.ome\.tif: 1 of 3 planes are missing"):
        open_store(path)
