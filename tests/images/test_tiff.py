"""Which series of a TIFF is its image, and what its numbers mean: one rule, whole and by region."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.store import open_store

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
GREEN = np.stack([np.zeros(256), np.arange(256) * 256, np.zeros(256)]).astype(np.uint16)
FIRE = np.random.default_rng(0).integers(0, 65536, (3, 256), np.uint16)


def read_both_ways(path, values=False):
    """Read by region and whole, which must be the same."""
    with open_store(path, values=values) as store:
        by_region = store[(slice(None),) * (len(store.shape) - 1)]
    whole = files.read_values(path) if values else files.read(path)
    assert np.array_equal(by_region, whole)
    assert values or files.header(path).channels == whole.shape[2]
    return whole


def write_pages(path, *pages):
    """Write pages, each with what is said of it."""
    with tifffile.TiffWriter(path) as writer:
        for pixels, options in pages:
            writer.write(pixels, photometric="minisblack", metadata=None, **options)
    return path


@pytest.mark.parametrize("reduced", [1, 0])
def test_a_preview_is_not_the_image_but_a_page_that_is_marked_so_alone_is(tmp_path, reduced):
    pages = [(GREY, {"subfiletype": 0}), (GREY[:3, :4], {"subfiletype": 1})][1 - reduced :]
    path = write_pages(tmp_path / "a.tif", *pages)
    assert np.array_equal(read_both_ways(path)[..., 0], pages[0][0])


def test_two_images_of_one_file_are_named_and_refused(tmp_path):
    path = write_pages(tmp_path / "a.tif", (GREY, {}), (GREY[:4, :5], {}))
    for read in (files.read, files.header, open_store):
        with pytest.raises(UserError, match=r"2 images \(6 x 8, 4 x 5\)"):
            read(path)


def test_the_label_and_the_macro_of_a_slide_are_not_the_image(tmp_path):
    """Aperio's order of pages: the scan, a thumbnail, smaller levels, the label, the macro."""
    scan, tile = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3), {"tile": (16, 16)}
    said = "Aperio Image Library v10\r\n48x64 [0,0 48x64] (16x16)|AppMag = 20|MPP = 0.25"
    with tifffile.TiffWriter(tmp_path / "a.svs") as writer:
        common = {"photometric": "rgb", "metadata": None}
        writer.write(scan, description=said, **common, **tile)
        writer.write(scan[::4, ::4], description="Aperio Image Library v10\r\n12x16", **common)
        writer.write(scan[::2, ::2], description=said, **common, **tile)
        writer.write(scan[:8, :8], description="Aperio\r\nlabel 8x8", subfiletype=1, **common)
        writer.write(scan[:8, :8], description="Aperio\r\nmacro 8x8", subfiletype=9, **common)
    assert np.array_equal(read_both_ways(tmp_path / "a.svs"), scan)
    with open_store(tmp_path / "a.svs") as store:
        assert store.pixel_size == (0.25, 0.25)


@pytest.mark.parametrize("colormap", [GREEN, FIRE], ids=["green", "fire"])
def test_a_lookup_table_of_imagej_is_display(tmp_path, colormap):
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, photometric="palette", colormap=colormap)
    assert np.array_equal(read_both_ways(tmp_path / "a.tif")[..., 0], GREY)


def test_a_ramp_is_display_whoever_wrote_it_and_other_palettes_are_colours(tmp_path):
    for name, colormap in {"ramp": GREEN, "picture": FIRE}.items():
        tifffile.imwrite(
            tmp_path / f"{name}.tif", GREY, photometric="palette", colormap=colormap, metadata=None
        )
    assert np.array_equal(read_both_ways(tmp_path / "ramp.tif")[..., 0], GREY)
    assert np.array_equal(read_both_ways(tmp_path / "picture.tif"), (FIRE.T >> 8)[GREY])


def test_channels_with_lookup_tables_are_all_read(tmp_path):
    """As Fiji writes a composite and Bio-Formats an OME-TIFF: a palette on each of two pages."""
    channels = np.stack([GREY, GREY[::-1]])
    common = {"photometric": "palette", "colormap": GREEN}
    tifffile.imwrite(tmp_path / "fiji.tif", channels, imagej=True, metadata={"axes": "CYX"}, **common)
    tifffile.imwrite(tmp_path / "a.ome.tif", channels, metadata={"axes": "CYX"}, **common)
    for name in ("fiji.tif", "a.ome.tif"):
        assert np.array_equal(read_both_ways(tmp_path / name), np.moveaxis(channels, 0, -1))


def test_bits_of_which_0_is_white_are_read_as_every_viewer_shows_them(tmp_path):
    square = np.zeros((20, 30), bool)
    square[5:15, 10:20] = True
    Image.fromarray(square).save(tmp_path / "fax.tif", compression="group4")
    assert read_both_ways(tmp_path / "fax.tif").sum() == 100 * 255
    assert read_both_ways(tmp_path / "fax.tif", values=True).sum() == 100


def test_bits_of_a_fax_are_turned_and_those_of_tifffile_are_not(tmp_path):
    square = np.zeros((20, 32), bool)
    square[5:15, 10:20] = True
    tifffile.imwrite(tmp_path / "numpy.tif", square)
    tifffile.imwrite(tmp_path / "fax.tif", ~square, photometric="miniswhite", metadata=None, software="fax")
    for name in ("numpy.tif", "fax.tif"):
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        assert np.array_equal(read_both_ways(tmp_path / name)[..., 0], square * np.uint8(255))
        assert np.array_equal(read_both_ways(tmp_path / name, values=True)[..., 0], square)


def test_imagej_s_inverting_table_leaves_numbers_as_they_are(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "b.tif", GREY, photometric="miniswhite", metadata=None)
    assert np.array_equal(read_both_ways(tmp_path / "a.tif")[..., 0], GREY)
    assert np.array_equal(read_both_ways(tmp_path / "b.tif")[..., 0], 255 - GREY)
    assert np.array_equal(read_both_ways(tmp_path / "b.tif", values=True)[..., 0], GREY)


def test_ome_xml_of_a_companion_file_tells_the_axes(tmp_path):
    planes = np.stack([GREY, GREY + 1, GREY + 2])
    xml = tifffile.OmeXml()
    xml.addimage(planes.dtype, planes.shape, (3, 1, 1, 6, 8, 1), axes="ZYX", PhysicalSizeX=0.5)
    told = xml.tostring()
    binary = '<OME><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:0"/></OME>'
    tifffile.imwrite(
        tmp_path / "a.ome.tif", planes, photometric="minisblack", description=binary, metadata=None
    )
    with pytest.raises(UserError, match=r"a\.companion\.ome, which is not beside it"):
        open_store(tmp_path / "a.ome.tif")
    (tmp_path / "a.companion.ome").write_text(told)
    with open_store(tmp_path / "a.ome.tif") as store:
        assert (store.axes, store.shape) == ("ZYXC", (3, 6, 8, 1))
        assert store.pixel_size == (None, None, 0.5)


def test_a_lossy_file_says_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.tile(GREY, (4, 4)), compression="jpeg")
    Image.fromarray(GREY).save(tmp_path / "a.jpg")
    Image.fromarray(GREY).save(tmp_path / "a.png")
    lossy = {path.name: files.header(path).lossy for path in files.find(tmp_path)}
    assert lossy == {"a.jpg": True, "a.png": False, "a.tif": True}


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_the_numbers_that_they_count(tmp_path, bits):
    ids = (np.arange(64, dtype=np.uint8) % (1 << bits)).reshape(8, 8)
    _write_grey_png(tmp_path / "a.png", ids, bits)
    assert np.array_equal(files.read_values(tmp_path / "a.png")[..., 0], ids)
    assert files.read(tmp_path / "a.png").max() == 255


def _write_grey_png(path, ids, bits):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    binary = (ids[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = b"".join(b"\0" + np.packbits(row.ravel()).tobytes() for row in binary)
    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("mode", "named"), [("CMYK", "CMYK"), ("LAB", "Lab"), ("YCbCr", "YCbCr")])
def test_print_colours_are_no_channels(tmp_path, mode, named):
    Image.new("RGB", (8, 6), (255, 0, 0)).convert(mode).save(tmp_path / "a.tif")
    for read in (files.header, files.read, open_store):
        with pytest.raises(UserError, match=f"holds {named} colours"):
            read(tmp_path / "a.tif")


def test_ycbcr_that_a_codec_turns_into_rgb_is_read(tmp_path):
    red = np.full((16, 16, 3), (200, 0, 0), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", red, photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.YCBCR
    assert np.abs(read_both_ways(tmp_path / "a.tif").astype(int) - red).max() < 4


def test_a_file_without_the_end_of_its_description_is_truncated(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, GREY, metadata={"axes": "YX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3})
    with tifffile.TiffFile(path) as file:
        tag, pixels = file.pages.first.tags["ImageDescription"], file.pages.first.dataoffsets[0]
        assert tag.valueoffset > pixels  # OME-XML is written last
    path.write_bytes(path.read_bytes()[: tag.valueoffset + 9])
    for read in (files.header, open_store):
        with pytest.raises(UserError, match=r"truncated: .* what describes the image is cut off"):
            read(path)


def test_only_what_can_be_said_is_proposed_for_points_of_time(tmp_path):
    for axes, shape in (("TYX", (3, 6, 8)), ("TZYX", (3, 2, 6, 8))):
        tifffile.imwrite(tmp_path / f"{axes}.tif", np.zeros(shape, np.uint8), metadata={"axes": axes})
    with pytest.raises(UserError, match='say so by axes="ZYX"'):
        open_store(tmp_path / "TYX.tif")
    with pytest.raises(UserError, match=r"t=0 or FILE:NAME,t=0$"):
        open_store(tmp_path / "TZYX.tif")


@pytest.mark.parametrize(
    ("codec", "arguments", "lossy"),
    [
        ("jpeg2000", {}, False),
        ("jpeg2000", {"level": 30}, True),
        ("webp", {"lossless": True}, False),
        ("webp", {"level": 30, "lossless": False}, True),
        ("jpegxl", {"distance": 4}, True),
        ("deflate", {}, False),
    ],
)
def test_codecs_that_may_lose_are_told_apart(tmp_path, codec, arguments, lossy):
    ids = np.random.default_rng(0).integers(0, 200, (32, 32, 1), np.uint8).repeat(3, axis=2)
    options = {"photometric": "rgb", "compression": codec, "compressionargs": arguments}
    tifffile.imwrite(tmp_path / "a.tif", ids, **options)
    assert files.header(tmp_path / "a.tif").lossy == lossy
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), ids) != lossy
