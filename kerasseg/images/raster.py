"""PNG, JPEG and BMP: Pillow decodes all but 16-bit colour, which it would cut to 8 bits and OpenCV keeps."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from kerasseg.errors import UserError
from kerasseg.images.folders import FOREIGN
from kerasseg.images.headers import TAG, TURNED, Embedded, Header, sane, too_large, upright

# Pillow warns of images half as large as our own limit.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

PNG_BIT_DEPTH = 24  # position of IHDR's bit depth in a PNG
MAGIC = (b"\x89PNG", b"\xff\xd8\xff")  # that of BMP, two letters, may begin other files
FORMATS = ("PNG", "JPEG", "BMP")  # Pillow knows many more, some of which start other programs
CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4}
OPENCV_CHANNELS = {"RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}  # of its BGR and BGRA
DESCRIPTION = ("Description", "class ids: 0 is background, 255 is to be ignored")  # of a mask, in its PNG
FLAGS = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95]}


def header(path: Path) -> Header:
    """Read the header of a PNG, JPEG or BMP file.

    Raises
    ------
    UserError
        If the file is not such an image, has no pixels or absurdly many.
    """
    with _opened(path) as image:
        width, height = image.size
        size = (width, height) if _orientation(image) in TURNED else (height, width)
        dtype = np.dtype(np.uint16 if _is_16_bit(path, image) else np.uint8)
        return sane(Header(path, size, CHANNELS[_colour_mode(image)], dtype, lossy=image.format == "JPEG"))


def read(path: Path) -> np.ndarray:
    """Read the pixels upright, colours instead of palette indices.

    Returns
    -------
    numpy.ndarray, shape (Y, X) or (Y, X, C), uint8 or uint16
    """
    with _opened(path) as image:
        orientation = _orientation(image)
        deep = image.mode in OPENCV_CHANNELS and _is_16_bit(path, image)
        pixels = _decode_deep(path, image.mode) if deep else _decode(image, _colour_mode(image))
    return upright(pixels, orientation)


def read_values(path: Path) -> np.ndarray:
    """Read the numbers that are stored: a palette's indices, and what fewer than 8 bits count.

    Returns
    -------
    numpy.ndarray, shape (Y, X) or (Y, X, C), bool, uint8 or uint16
    """
    with _opened(path) as image:
        if image.mode in ("P", "1"):
            return upright(np.asarray(image), _orientation(image))
        largest = _largest_grey(path, image)
        if largest < 255:  # which Pillow makes 255
            return upright(np.asarray(image) // np.uint8(255 // largest), _orientation(image))
    return read(path)


def is_palette(path: Path) -> bool:
    """Tell whether the file stores indices into a palette, or says of its numbers that they are class ids."""
    keyword, text = DESCRIPTION
    with _opened(path) as image:
        return image.mode == "P" or image.info.get(keyword) == text


def write(path: Path, image: np.ndarray, suffix: str) -> None:
    """Encode an image ``(Y, X)`` or ``(Y, X, C)`` of 1, 3 or 4 channels by `suffix`, and write it."""
    conversion = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[2] if image.ndim == 3 else 1)
    encodable = image if conversion is None else cv2.cvtColor(image, conversion)
    path.write_bytes(cv2.imencode(suffix, encodable, FLAGS.get(suffix, []))[1].tobytes())


def write_class_ids(path: Path, mask: np.ndarray) -> None:
    """Write a mask ``(Y, X)`` uint8 as a grey PNG that says what its numbers are."""
    about = PngImagePlugin.PngInfo()
    about.add_text(*DESCRIPTION)
    Image.fromarray(mask).save(path, format="PNG", pnginfo=about)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open with Pillow; whatever it complains of, while open too, becomes a UserError that names the file."""
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(too_large(path, "suspiciously large (a decompression bomb?)")) from error
    except Image.UnidentifiedImageError as error:
        raise UserError(_not_an_image(path)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{path}: the image is damaged or truncated ({error}); copy it again") from error


def _not_an_image(path: Path | Embedded) -> str:
    foreign = FOREIGN.get(path.suffix.lower()) if isinstance(path, Path) else None
    if foreign:
        return f"{path}: this is {foreign}, which is not read here; export it as TIFF or OME-TIFF"
    return f"{path}: this is not an image; expected PNG, JPEG, BMP or TIFF"


def _colour_mode(image: Image.Image) -> str:
    """Name the mode to decode to: palettes become colours, print colours become RGB."""
    if image.mode in ("P", "PA"):
        return "RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB"
    return image.mode if image.mode in CHANNELS else "RGB"


def _decode(image: Image.Image, mode: str) -> np.ndarray:
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint16)


def _decode_deep(path: Path, mode: str) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("the pixels end early")
    return np.ascontiguousarray(pixels[..., OPENCV_CHANNELS[mode]])


def _is_16_bit(path: Path, image: Image.Image) -> bool:
    """Tell 16-bit files; Pillow names the mode of 16-bit colour as that of 8-bit."""
    if image.format != "PNG":
        return image.mode.startswith("I")
    with path.open("rb") as file:
        return file.read(PNG_BIT_DEPTH + 1)[PNG_BIT_DEPTH] == 16


def _largest_grey(path: Path, image: Image.Image) -> int:
    """Say what the largest number of a grey PNG of 2 or 4 bits is; 255 for any other image."""
    if image.format != "PNG" or image.mode != "L":
        return 255
    with path.open("rb") as file:
        bits = file.read(PNG_BIT_DEPTH + 1)[PNG_BIT_DEPTH]
    return (1 << bits) - 1


def _orientation(image: Image.Image) -> int:
    """Read which way is up; cameras write much broken EXIF, which is no reason to refuse the pixels."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return exif.get(TAG, 1)
    except (OSError, SyntaxError, ValueError, struct.error):
        return 1
