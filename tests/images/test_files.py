"""Every kind of file that a microscope, a camera or a careless hand may leave."""

import contextlib
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from kerasseg.errors import UserError
from kerasseg.images import files

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
FOUR = np.dstack([COLOUR, np.full((3, 4), 9, np.uint8)])


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
@pytest.mark.parametrize("image", [GREY, COLOUR, FOUR], ids=["grey", "colour", "alpha"])
def test_what_is_written_without_loss_is_read_back(tmp_path, image, suffix):
    path = tmp_path / f"image{suffix}"
    files.write(path, image)
    read = files.read(path)
    assert np.array_equal(read, image.reshape(3, 4, -1))
    header = files.header(path)
    assert (header.size, header.channels, header.dtype, header.pages) == ((3, 4), read.shape[2], np.uint8, 1)


@pytest.mark.parametrize("image", [GREY, COLOUR, FOUR], ids=["grey", "colour", "alpha"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_survive(tmp_path, image, suffix):
    deep = image.astype(np.uint16) * 257 + 1
    files.write(tmp_path / f"deep{suffix}", deep)
    read = files.read(tmp_path / f"deep{suffix}")
    assert read.dtype == files.header(tmp_path / f"deep{suffix}").dtype == np.uint16
    assert np.array_equal(read, deep.reshape(3, 4, -1))


def test_sixteen_bits_of_grey_and_alpha_are_read_as_colours(tmp_path):
    pixels = np.array([[[1000, 65535], [40_000, 7]]], np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    (tmp_path / "la.png").write_bytes(_png(2, 1, bits=16, colour=4, rows=rows))
    assert np.array_equal(files.read(tmp_path / "la.png"), pixels[..., [0, 0, 0, 1]])
    assert files.header(tmp_path / "la.png").channels == 4


def test_other_formats_are_refused_whatever_their_name(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png", format="GIF")
    with pytest.raises(UserError, match="not an image; expected PNG, JPEG, BMP or TIFF"):
        files.read(tmp_path / "a.png")


def test_floats_and_many_channels_survive_in_tiff(tmp_path):
    image = np.random.default_rng(0).random((5, 6, 7), np.float32)
    files.write(tmp_path / "seven.tif", image)
    assert np.array_equal(files.read(tmp_path / "seven.tif"), image)
    assert files.header(tmp_path / "seven.tif").channels == 7


def test_jpeg_is_near(tmp_path):
    image = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    files.write(tmp_path / "a.jpg", image)
    assert np.abs(files.read(tmp_path / "a.jpg").astype(int) - image).max() <= 3


def test_palette_is_colours_as_an_image_and_indices_as_values(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "p.png")
    assert files.header(tmp_path / "p.png").channels == 3
    assert files.read(tmp_path / "p.png")[0, 1].tolist() == [255, 0, 0]
    assert files.read_values(tmp_path / "p.png")[..., 0].tolist() == [[0, 1], [2, 1]]
    assert files.is_palette(tmp_path / "p.png")


def test_tiff_palette_is_colours_too(tmp_path):
    colormap = np.zeros((3, 256), np.uint16)
    colormap[0, 1] = 65535
    tifffile.imwrite(
        tmp_path / "p.tif", np.array([[0, 1]], np.uint8), photometric="palette", colormap=colormap
    )
    assert files.read(tmp_path / "p.tif").tolist() == [[[0, 0, 0], [255, 0, 0]]]
    assert files.read_values(tmp_path / "p.tif")[..., 0].tolist() == [[0, 1]]


@pytest.mark.parametrize("mode", ["1", "LA", "CMYK"])
def test_rare_modes_look_as_pillow_shows_them(tmp_path, mode):
    image = Image.fromarray(COLOUR).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    shown = np.asarray(Image.open(path).convert({"1": "L", "LA": "LA", "CMYK": "RGB"}[mode]))
    assert np.array_equal(files.read(path), shown.reshape(3, 4, -1))
    assert files.header(path).channels == files.read(path).shape[2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_orientation_is_obeyed_as_pillow_does(tmp_path, orientation, suffix):
    path = tmp_path / f"turned.{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(COLOUR.repeat(8, 0).repeat(8, 1)).save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(files.read(path), expected)
    assert files.header(path).size == expected.shape[:2]


def test_broken_exif_is_no_reason_to_refuse_an_image(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    assert np.array_equal(files.read(tmp_path / "a.png"), COLOUR)


def test_black_and_white_tiff_and_inverted_tiff_are_seen_as_meant(tmp_path):
    tifffile.imwrite(tmp_path / "bw.tif", np.array([[True, False]]), photometric="minisblack")
    tifffile.imwrite(tmp_path / "inverted.tif", np.array([[0, 255]], np.uint8), photometric="miniswhite")
    assert files.read(tmp_path / "bw.tif")[..., 0].tolist() == [[255, 0]]
    assert files.read(tmp_path / "inverted.tif")[..., 0].tolist() == [[255, 0]]
    assert files.read_values(tmp_path / "inverted.tif")[..., 0].tolist() == [[0, 255]]


def test_channels_of_a_planar_tiff_come_last(tmp_path):
    planes = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    tifffile.imwrite(tmp_path / "cyx.tif", planes, imagej=True, metadata={"axes": "CYX"})
    assert np.array_equal(files.read(tmp_path / "cyx.tif"), np.moveaxis(planes, 0, -1))


def test_a_stack_is_refused_with_its_axes(tmp_path):
    tifffile.imwrite(tmp_path / "z.tif", np.zeros((5, 3, 4), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    assert files.header(tmp_path / "z.tif").pages == 5
    with pytest.raises(UserError, match=r"z\.tif.*5 planes \(5 x 3 x 4, axes ZYX\)"):
        files.read(tmp_path / "z.tif")


def test_stored_integers_keep_their_type(tmp_path):
    labels = np.array([[0, 70_000]], np.int32)
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    assert files.read_values(tmp_path / "labels.tif")[..., 0].tolist() == labels.tolist()
    assert (
        files.read(tmp_path / "labels.tif").dtype == files.header(tmp_path / "labels.tif").dtype == np.float32
    )


def _png(width: int, height: int, bits: int = 8, colour: int = 0, rows: bytes = b"") -> bytes:
    """A PNG whose header may claim a size that no pixels follow."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


BROKEN = {
    "empty.png": (b"", "empty"),
    "text.png": (b"this is a letter, not an image", "not an image"),
    "bomb.png": (_png(100_000, 100_000), "expected at most 178,956,970 pixels"),
    "zero.png": (_png(0, 10), "zero.png"),
    "pixelless.png": (_png(10, 10), "damaged or truncated"),
    "stub.tif": (b"II*\0", "damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path, name):
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        files.read(tmp_path / name)
    assert name in str(error.value)


def test_a_bomb_is_seen_in_the_header_whatever_pillow_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(_png(100_000, 100_000))
    with pytest.raises(UserError, match=r"100000 x 100000 pixels; expected at most"):
        files.header(tmp_path / "bomb.png")


def test_a_tiff_bomb_is_refused_before_decoding(tmp_path):
    tifffile.imwrite(tmp_path / "b.tif", shape=(20_000, 20_000), dtype=np.uint8, data=None, compression=None)
    assert files.header(tmp_path / "b.tif").in_blocks
    with pytest.raises(UserError, match="expected at most"):
        files.read(tmp_path / "b.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "deep.png"])
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_truncated_files_are_refused(tmp_path, name, kept):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    files.write(tmp_path / name, noise.astype(np.uint16) * 256 if name == "deep.png" else noise)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match=name):
        files.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_garbled_files_are_read_or_refused_and_nothing_else(tmp_path, name):
    rng = np.random.default_rng(0)
    files.write(tmp_path / name, rng.integers(0, 255, (20, 30, 3)).astype(np.uint8))
    content = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
    for _ in range(60):
        garbled = content.copy()
        garbled[rng.integers(0, min(300, content.size), 4)] = rng.integers(0, 255, 4)
        (tmp_path / name).write_bytes(garbled.tobytes())
        with contextlib.suppress(UserError):
            assert files.read(tmp_path / name).ndim == 3


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        files.header(tmp_path / "nothing.png")
    with pytest.raises(UserError, match="no such folder"):
        files.find(tmp_path / "nowhere")


def test_the_content_decides_not_the_name(tmp_path):
    files.write(tmp_path / "a.tif", GREY)
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    assert np.array_equal(files.read(tmp_path / "a.png")[..., 0], GREY)


def test_find_is_sorted_recursive_and_leaves_hidden_files_out(tmp_path):
    for name in ("b/2.PNG", "a.tif", ".hidden.png", ".cache/3.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files.find(tmp_path)] == ["a.tif", "b/2.PNG"]


@pytest.mark.parametrize(
    ("name", "image"), [("a.jpg", FOUR.astype(np.uint16)), ("a.gif", GREY), ("a.png", COLOUR[..., :2])]
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, name, image):
    with pytest.raises(UserError, match=name):
        files.write(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_real_files_agree_with_their_headers_and_with_opencv(shared_data):
    folders = ("neubias", "phase_usiigaci", "nuclei_stardist", "nuclei_dsb2018")
    paths = [path for folder in folders for path in files.find(shared_data / folder)[:12]]
    singles = [path for path in paths if files.header(path).pages == 1]
    assert len(singles) > 15
    for path in singles:
        image, header = files.read(path), files.header(path)
        assert image.shape == (*header.size, header.channels)
        assert image.dtype == header.dtype
    png = next(path for path in singles if path.suffix == ".png")
    peer = cv2.imread(str(png), cv2.IMREAD_UNCHANGED).reshape(files.read(png).shape)
    assert np.array_equal(files.read(png)[..., :3], peer[..., :3][..., ::-1])
