"""Files that travel as bytes become the pixels that are read from them here, or are refused."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasseg.images import files
from kerasseg.serving.decoding import any_deep, decode

HEIGHT, WIDTH = 12, 20
COLOURS = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (5, 5), 0)
GREY, DEEP = COLOURS[..., 0], COLOURS.astype(np.uint16) * 200 + 7
ENTRY = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"  # tag 274, a short, one of them, turned to the right
BIG_ENDIAN = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\0\x02A\0\0\0" + ENTRY + b"\0\0\0\0"


def saved(image, suffix: str, **options) -> bytes:
    """Write by Pillow, from an array or from an image of Pillow's."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, suffix, **options)
    return file.getvalue()


def turned(number: int) -> bytes:
    exif = Image.Exif()
    exif[274] = number
    return exif.tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(colour: int, depth: int, rows: list[bytes], *chunks: bytes, interlaced: int = 0) -> bytes:
    """Write a PNG by its own definition, with chunks before the pixels."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def interlaced(image: np.ndarray) -> bytes:
    """Write a PNG in Adam7's seven passes."""
    passes = [
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    ]
    rows = [row.tobytes() for y, dy, x, dx in passes for row in image[y::dy, x::dx] if row.size]
    return png(2, 8, rows, interlaced=1)


def rows_of_16_bits(image: np.ndarray) -> list[bytes]:
    return [row.astype(">u2").tobytes() for row in image]


PALETTE = Image.fromarray(COLOURS).quantize(16)
FILES = {
    **{f"orientation {n}, jpeg": saved(COLOURS, "jpeg", exif=turned(n)) for n in range(10)},
    **{f"orientation {n}, png": saved(COLOURS, "png", exif=turned(n)) for n in range(10)},
    "orientation, big endian": saved(COLOURS, "jpeg", exif=BIG_ENDIAN),
    "orientation, long": saved(
        COLOURS, "jpeg", exif=BIG_ENDIAN.replace(ENTRY, b"\x01\x12\0\4\0\0\0\1\0\0\0\6")
    ),
    "orientation, two of them": saved(
        COLOURS, "jpeg", exif=BIG_ENDIAN.replace(b"\0\0\0\x01\0\x06", b"\0\0\0\x02\0\x06")
    ),
    "orientation after a colour profile": saved(COLOURS, "jpeg", exif=BIG_ENDIAN, icc_profile=b"x" * 100_000),
    "exif that ends early": saved(COLOURS, "jpeg", exif=b"Exif\0\0MM"),
    "exif that leads nowhere": saved(COLOURS, "jpeg", exif=b"Exif\0\0MM\0*\xff\xff\xff\x08"),
    "jpeg, progressive": saved(COLOURS, "jpeg", progressive=True),
    "jpeg, halved colours": saved(COLOURS, "jpeg", subsampling=2),
    "jpeg, grey": saved(GREY, "jpeg"),
    "jpeg, colours of print": saved(Image.fromarray(COLOURS).convert("CMYK"), "jpeg"),
    "png, grey": saved(GREY, "png"),
    "png, 1 bit": saved(Image.fromarray(GREY > 100), "png"),
    "png, 2 bits": png(0, 2, [bytes(range(n, n + 5)) for n in range(HEIGHT)]),
    "png, 4 bits": png(0, 4, [bytes(range(n, n + 10)) for n in range(HEIGHT)]),
    "png, interlaced": interlaced(COLOURS),
    "png, palette": saved(PALETTE, "png"),
    "png, palette of 2 bits": saved(Image.fromarray(COLOURS).quantize(4), "png", bits=2),
    "png, palette, one clear": saved(PALETTE, "png", transparency=1),
    "png, palette, some half clear": saved(PALETTE, "png", transparency=bytes([0, 100, 255])),
    "png, grey, one clear": saved(GREY, "png", transparency=int(GREY[0, 0])),
    "png, colours, one clear": saved(COLOURS, "png", transparency=tuple(COLOURS[0, 0].tolist())),
    "png, grey and alpha": saved(np.dstack([GREY, GREY]), "png"),
    "png, colours and alpha": saved(np.dstack([COLOURS, GREY]), "png"),
    "png, brightness": png(
        2, 8, [row.tobytes() for row in COLOURS], chunk(b"gAMA", struct.pack(">I", 100_000))
    ),
    "png, animated": saved(
        COLOURS, "png", save_all=True, append_images=[Image.fromarray(COLOURS[::-1].copy())]
    ),
    "png, 16 bits": png(0, 16, rows_of_16_bits(DEEP[..., 0])),
    "png, 16 bits, colours": png(2, 16, rows_of_16_bits(DEEP)),
    "png, 16 bits, one clear": png(
        2, 16, rows_of_16_bits(DEEP), chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    ),
    "png, 16 bits, alpha": png(6, 16, rows_of_16_bits(np.dstack([DEEP, DEEP[..., 0]]))),
}
REFUSED = {
    "bmp": saved(COLOURS, "bmp"),
    "gif": saved(GREY, "gif"),
    "webp": saved(COLOURS, "webp"),
    "tiff": saved(COLOURS, "tiff"),
    "nothing": b"",
    "png that ends early": saved(COLOURS, "png")[:200],
    "jpeg that ends early": saved(COLOURS, "jpeg")[:-200],
}


@tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
def shallow(contents):
    return decode(contents, tf.uint8)


@tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
def deep(contents):
    return decode(contents, tf.uint16)


def served(content: bytes) -> np.ndarray:
    return (deep if any_deep(tf.constant([content])) else shallow)(tf.constant([content]))[0].numpy()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Metadata Warning")
def test_bytes_become_the_pixels_of_the_file(name, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(FILES[name])
    pixels = files.read(path)
    decoded = served(FILES[name])
    assert decoded.dtype == pixels.dtype
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_neither_png_nor_jpeg_is_refused(name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(REFUSED[name])


def test_turned_and_upright_images_may_travel_together():
    upright = saved(COLOURS, "png")
    on_its_head = saved(np.ascontiguousarray(COLOURS[::-1, ::-1]), "png", exif=turned(3))
    first, second = shallow(tf.constant([upright, on_its_head]))
    np.testing.assert_array_equal(first, second)
