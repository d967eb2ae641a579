"""Masks as image files: numbers of classes, palettes, colours."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasseg.annotations import values
from kerasseg.annotations.documents import Options, Plan, files_of, plan_each, read_each
from kerasseg.annotations.draw import draw_mask
from kerasseg.annotations.shapes import Drawing, Drawings
from kerasseg.annotations.trace import mask_shapes
from kerasseg.annotations.values import SHOWN, Meaning
from kerasseg.errors import Notice, UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.images import files, raster
from kerasseg.images.headers import Header, is_readable_whole
from kerasseg.images.masks import IGNORE
from kerasseg.images.stores.store import Region, Store
from kerasseg.images.stores.volume import Slide

LABEL_MAP = "labelmap.txt"
_GOLDEN = 0.618034  # steps of hue that keep neighbouring classes apart


def read_mask(path: Path, meaning: Meaning, region: Region | None = None) -> np.ndarray:
    """Read a mask, or a region of a large one, as class ids.

    Parameters
    ----------
    path : Path
        An image file. A palette's indices are its numbers, whatever its colours.
    meaning : Meaning
        What the numbers mean, in all masks of the set: see :func:`meaning_of`.
    region : tuple of slice, optional
        One for each axis; of a file in blocks.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If the file cannot be read, or holds a number that means nothing.
    """
    return meaning.mask(read_numbers(path, region), path)


def read_numbers(path: Path, region: Region | None = None) -> np.ndarray:
    """Read the one number that a file, or a region of it, stores for each pixel, ``(Y, X)`` of any type.

    Raises
    ------
    UserError
        If the file cannot be read, has colours, or was compressed with loss.
    """
    if region is not None:
        return _grey(Slide(path).read_values(region), path)
    refuse_lossy(files.header(path), path)
    return _grey(files.read_values(path), path)


def refuse_lossy(header: Header | Store, name: object) -> None:
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
        header = files.header(path)
        if is_readable_whole(header.size):
            return read_numbers(path), files.is_palette(path)
        refuse_lossy(header, path)
        bands = (_grey(band, path) for band in Slide(path).mask_bands())
        return values.distinct_of(bands), files.is_palette(path)

    meaning = values.meaning_of(paths, numbers, classes, chosen, key)
    if meaning.text:
        warnings.warn(meaning.text, Notice, stacklevel=2)
    return meaning


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
    with write_atomically(path) as temporary:
        raster.write_class_ids(temporary, mask)


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


def read_colours(
    path: Path,
    classes: Sequence[str],
    colours: Mapping[str, Sequence[int]],
    region: Region | None = None,
) -> np.ndarray:
    """Read a mask of colours, or a region of a large one, as class ids.

    Parameters
    ----------
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
        If the file cannot be read, or holds a colour that is not a class.
    """
    refuse_lossy(files.header(path), path)
    ids = {"background": 0, "ignore": IGNORE} | {name: number for number, name in enumerate(classes, start=1)}
    strangers = [unknown("class in colours", name, ids) for name in colours if name not in ids]
    if strangers:
        raise UserError(*strangers)
    codes = _code(_rgb(path, region))
    mask, known = np.zeros(codes.shape, np.uint8), codes == 0
    for name, colour in colours.items():
        where = codes == _code(np.asarray(colour, np.uint8))
        mask[where], known = ids[name], known | where
    if not known.all():
        raise UserError(_strange_colours(path, codes[~known], colours))
    return mask


def _rgb(path: Path, region: Region | None) -> np.ndarray:
    image = files.read(path) if region is None else Slide(path).read(region)
    if image.dtype != np.uint8 or image.shape[2] == 2:
        raise UserError(
            f"{path}: the mask is {image.dtype} of {image.shape[2]} channels; expected 8-bit colours"
        )
    return np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[2] == 1 else image[..., :3]


def _code(colours: np.ndarray) -> np.ndarray:
    """Make one number of red, green and blue."""
    return colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _strange_colours(path: Path, codes: np.ndarray, colours: Mapping[str, Sequence[int]]) -> str:
    strange = np.unique(codes)[:SHOWN].tolist()
    shown = ", ".join(str([code >> 16, code >> 8 & 255, code & 255]) for code in strange)
    known = ", ".join(f"{name} {list(colour)}" for name, colour in colours.items())
    return f"{path}: the mask holds colours {shown}, which are not classes; expected {known}"


def read_label_map(path: Path) -> dict[str, tuple[int, int, int]]:
    """Read the colour of each class from CVAT's ``labelmap.txt`` beside its masks.

    Parameters
    ----------
    path : Path
        Lines of ``label:red,green,blue:parts:actions``; those that begin with ``#`` are comments.

    Returns
    -------
    dict of str to (int, int, int)
        ``background`` among them.

    Raises
    ------
    UserError
        If a line holds something else.
    """
    colours = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        label, _, rest = line.partition(":")
        levels = rest.partition(":")[0].split(",")
        if len(levels) != 3 or not all(level.strip().isdecimal() and int(level) < 256 for level in levels):
            raise UserError(f"{path}: line {number} is {line!r}; expected label:red,green,blue:parts:actions")
        colours[label.strip()] = tuple(map(int, levels))
    return colours


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a folder of masks, or one; images are taken to have the names of their masks."""
    meaning = meaning_of(files_of(source, files.SUFFIXES), options.classes, options.values, "--values")

    def drawing(path: Path) -> Drawing:
        mask = read_mask(path, meaning)
        return Drawing(path.name, mask.shape, mask_shapes(mask, options.classes))

    return read_each(source, files.SUFFIXES, drawing)


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan a PNG for each drawing."""

    def write(path: Path, drawing: Drawing) -> None:
        write_mask(path, draw_mask(drawing.shapes, drawing.size, list(options.classes)))

    return plan_each(drawings, target, ".png", write)
