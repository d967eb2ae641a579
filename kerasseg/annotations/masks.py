"""Masks and labels as image files: numbers of classes, palettes, colours, instance ids."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasseg.annotations import values
from kerasseg.annotations.values import SHOWN, Meaning
from kerasseg.errors import Notice, UserError, unknown
from kerasseg.images import files, raster
from kerasseg.images.header import Header
from kerasseg.masks import IGNORE

MOST_IN_PNG = 2**16 - 1  # objects: a pixel has 16 bits
_GOLDEN = 0.618034  # steps of hue that keep neighbouring classes apart


def read_mask(path: Path, meaning: Meaning) -> np.ndarray:
    """Read a mask as class ids.

    Parameters
    ----------
    path : Path
        An image file. A palette's indices are its numbers, whatever its colours.
    meaning : Meaning
        What the numbers mean, in all masks of the set: see :func:`meaning_of`.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If the file cannot be read, or holds a number that means nothing.
    """
    return meaning.mask(read_numbers(path), path)


def read_numbers(path: Path) -> np.ndarray:
    """Read the one number that a file stores for each pixel, ``(Y, X)`` of any type.

    Raises
    ------
    UserError
        If the file cannot be read, has colours, or was compressed with loss.
    """
    refuse_lossy(files.header(path), path)
    return _grey(files.read_values(path), path)


def refuse_lossy(header: Header, name: object) -> None:
    """Refuse pixels that need not be the numbers that were meant.

    Raises
    ------
    UserError
        If the file was compressed as JPEG does.
    """
    if header.lossy:
        raise UserError(
            f"{name}: the file was compressed with loss (JPEG; in a TIFF also JPEG 2000, JPEG XL "
            "and WebP), so its numbers may not be those that were drawn; export the annotation as PNG, or "
            "as TIFF with LZW or Deflate"
        )


def meaning_of(
    paths: Sequence[Path], classes: Sequence[str], chosen: Mapping[str, int] | None = None, key: str = ""
) -> Meaning:
    """Find what the numbers in mask files mean: see :func:`kerasseg.annotations.values.meaning_of`.

    Warns
    -----
    Notice
        Where they are not class ids alone.
    """

    def numbers(path: Path) -> tuple[np.ndarray, bool]:
        return read_numbers(path), files.is_palette(path)

    meaning = values.meaning_of(paths, numbers, classes, chosen, key)
    if meaning.text:
        warnings.warn(meaning.text, Notice, stacklevel=2)
    return meaning


def read_labels(path: Path) -> np.ndarray:
    """Read instance ids.

    Parameters
    ----------
    path : Path
        An image file of whole numbers; 0 is background.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32

    Raises
    ------
    UserError
        If the file cannot be read, has colours, or holds numbers that are no ids.
    """
    return as_labels(read_numbers(Path(path)), path)


def as_labels(values: np.ndarray, name: object) -> np.ndarray:
    """Take stored numbers of any rank and type for instance ids, int32.

    Raises
    ------
    UserError
        If some are no ids; `name` says of what they are.
    """
    low, high = values.min(), values.max()
    broken = values.dtype.kind == "f" and not (values == np.floor(values)).all()
    if broken or low < 0 or high > np.iinfo(np.int32).max:
        raise UserError(
            f"{name}: values lie in [{low}, {high}]; expected whole instance ids, 0 is background"
        )
    return values.astype(np.int32)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask as a grey PNG whose values are class ids, which every program reads as such.

    Parameters
    ----------
    path : Path
        A ``.png``.
    mask : numpy.ndarray, shape (Y, X), uint8
        Class ids; 255 is ignore.

    Notes
    -----
    Viewers show small numbers as nearly black. A palette would show classes in colours, but scikit-image,
    imageio and OpenCV would read those colours instead of the numbers.
    """
    with files.write_atomically(path) as temporary:
        raster.write_class_ids(temporary, mask)


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write instance ids ``(Y, X)``, as 16 bits in a PNG and as 32 in a TIFF.

    Raises
    ------
    UserError
        If a PNG cannot hold the largest id.
    """
    is_png = Path(path).suffix.lower() == ".png"
    if is_png and labels.max(initial=0) > MOST_IN_PNG:
        raise UserError(f"{path}: {labels.max()} instances do not fit into a PNG; write a .tif")
    files.write(path, labels.astype(np.uint16 if is_png else np.int32))


def palette() -> np.ndarray:
    """Make a colour for every class id: black background, white ignore, far hues for neighbouring classes.

    Returns
    -------
    numpy.ndarray, shape (256, 3), uint8
    """
    hues = (np.arange(256) * _GOLDEN) % 1
    colours = np.array([colorsys.hsv_to_rgb(hue, 0.75, 0.95) for hue in hues])
    colours[0], colours[IGNORE] = 0, 1
    return np.rint(colours * 255).astype(np.uint8)


def _grey(values: np.ndarray, path: Path) -> np.ndarray:
    """Drop channels that repeat the first, and an alpha channel of one value."""
    if values.shape[2] == 1:
        return values[..., 0]
    colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]
    rest = values[..., colours.shape[2] :]
    if (colours != colours[..., :1]).any():
        raise UserError(
            f"{path}: the mask has colours; expected one number a pixel. Save it as grey, or, of a mask of "
            "classes, say in a recipe which has which colour, in data.source.images_masks.colours"
        )
    if (rest != rest[:1, :1]).any():
        raise UserError(
            f"{path}: the mask's transparency differs from pixel to pixel, so it may be what was drawn; "
            "expected one number a pixel. Save the mask as grey, without an alpha channel"
        )
    return values[..., 0]


def read_colours(path: Path, classes: Sequence[str], colours: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Read a mask of colours as class ids.

    Parameters
    ----------
    path : Path
        An image file.
    classes : sequence of str
        Names of the classes 1, 2, ...
    colours : mapping of str to (int, int, int)
        Red, green and blue of each class by its name. ``background`` and ``ignore`` may be named too; black
        is background otherwise.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If the file cannot be read, or holds a colour that is no class.
    """
    refuse_lossy(files.header(path), path)
    ids = {"background": 0, "ignore": IGNORE} | {name: at for at, name in enumerate(classes, start=1)}
    strangers = [unknown("class in colours", name, ids) for name in colours if name not in ids]
    if strangers:
        raise UserError(*strangers)
    codes = _code(_rgb(path))
    mask, known = np.zeros(codes.shape, np.uint8), codes == 0
    for name, colour in colours.items():
        where = codes == _code(np.asarray(colour, np.uint8))
        mask[where], known = ids[name], known | where
    if not known.all():
        raise UserError(_strange_colours(path, codes[~known], colours))
    return mask


def _rgb(path: Path) -> np.ndarray:
    image = files.read(path)
    if image.dtype != np.uint8 or image.shape[2] == 2:
        raise UserError(
            f"{path}: the mask is {image.dtype} of {image.shape[2]} channels; expected 8-bit colours"
        )
    return np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[2] == 1 else image[..., :3]


def _code(colours: np.ndarray) -> np.ndarray:
    """Make one number of red, green and blue."""
    return colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _strange_colours(path: Path, codes: np.ndarray, colours: Mapping[str, Sequence[int]]) -> str:
    found = np.unique(codes)[:SHOWN].tolist()
    shown = ", ".join(str([code >> 16, code >> 8 & 255, code & 255]) for code in found)
    known = ", ".join(f"{name} {list(colour)}" for name, colour in colours.items())
    return f"{path}: the mask holds colours {shown}, which are not classes; expected {known}"
