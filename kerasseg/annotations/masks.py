"""Masks and labels as image files: class ids, 0 and 255, palettes, colours, instance ids."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasseg.classes import IGNORE
from kerasseg.errors import UserError, unknown
from kerasseg.images import files, raster

MOST_IN_PNG = 2**16 - 1  # objects: a pixel has 16 bits
SHOWN = 6  # values that a message lists
_GOLDEN = 0.618034  # steps of hue that keep neighbouring classes apart


def read_mask(
    path: Path, classes: Sequence[str], colours: Mapping[str, Sequence[int]] | None = None
) -> np.ndarray:
    """Read a mask as class ids.

    A palette's indices are class ids, whatever its colours. Elsewhere 255 is ignore beside class ids, but
    with one class an image of nothing but 0 and its type's largest value is background and that class.

    Parameters
    ----------
    path : Path
        An image file.
    classes : sequence of str
        Names of the classes 1, 2, ...
    colours : mapping of str to (int, int, int), optional
        Red, green and blue of each class by its name, where the mask holds colours. ``background`` and
        ``ignore`` may be named too; black is background otherwise.

    Returns
    -------
    numpy.ndarray, shape (Y, X), uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If the file cannot be read, or holds a value or colour that is no class.
    """
    path = Path(path)
    if colours is not None:
        return _by_colour(path, classes, colours)
    return as_mask(_grey(files.read_values(path), path), classes, path, palette=files.is_palette(path))


def as_mask(values: np.ndarray, classes: Sequence[str], name: object, *, palette: bool = False) -> np.ndarray:
    """Take stored numbers for class ids, as :func:`read_mask` does.

    Parameters
    ----------
    values : numpy.ndarray, shape (...)
        Of any rank and type.
    classes : sequence of str
        Names of the classes 1, 2, ...
    name : object
        What they are of, for the message.
    palette : bool, default False
        Whether they are indices into a palette.

    Returns
    -------
    numpy.ndarray, same shape, uint8
        0 is background, 255 is ignore.

    Raises
    ------
    UserError
        If a value is no class.
    """
    if len(classes) == 1 and not palette and _is_binary(values):
        return (values > 0).astype(np.uint8)
    allowed = np.append(np.arange(len(classes) + 1), IGNORE)
    _check(values, allowed, name, classes)
    return values.astype(np.uint8)


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
    return as_labels(_grey(files.read_values(Path(path)), Path(path)), path)


def as_labels(values: np.ndarray, name: object) -> np.ndarray:
    """Take stored numbers of any rank and type for instance ids, int32.

    Raises
    ------
    UserError
        If some are no ids; `name` says of what they are.
    """
    low, high = values.min(), values.max()
    broken = values.dtype.kind == "f" and (values != np.floor(values)).any()
    if low < 0 or high > np.iinfo(np.int32).max or broken:
        raise UserError(
            f"{name}: values lie in [{low}, {high}]; expected whole instance ids, 0 is background"
        )
    return values.astype(np.int32)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask as a PNG whose values are class ids and whose palette shows them in colours.

    Parameters
    ----------
    path : Path
        A ``.png``.
    mask : numpy.ndarray, shape (Y, X), uint8
        Class ids; 255 is ignore and shown white.
    """
    with files.write_atomically(path) as temporary:
        raster.write_indices(temporary, mask, palette())


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
    colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]
    rest = values[..., colours.shape[2] :]
    if (colours != colours[..., :1]).any() or (rest != rest[:1, :1]).any():
        raise UserError(
            f"{path}: the mask has colours; expected one number a pixel. Say which class has which colour"
        )
    return values[..., 0]


def _is_binary(values: np.ndarray) -> bool:
    """Tell masks of 0 and the type's largest value, 1 for floats, from masks of class ids."""
    top = 1 if values.dtype.kind in "bf" else np.iinfo(values.dtype).max
    return bool(((values == 0) | (values == top)).all())


def _check(values: np.ndarray, allowed: np.ndarray, name: object, classes: Sequence[str]) -> None:
    whole = values.dtype in (np.uint8, np.uint16)  # to count is ten times as fast as to sort
    found = np.flatnonzero(np.bincount(values.ravel())) if whole else np.unique(values)
    strange = found[~np.isin(found, allowed)]
    if strange.size:
        shown = ", ".join(f"{value:g}" for value in strange[:SHOWN]) + (
            ", ..." if strange.size > SHOWN else ""
        )
        names = ", ".join(f"{at} ({of})" for at, of in enumerate(["background", *classes]))
        raise UserError(
            f"{name}: the mask holds {shown}, which is no class; expected {names} or 255 (ignore). "
            "Name all classes, or read instance ids as instances"
        )


def _by_colour(path: Path, classes: Sequence[str], colours: Mapping[str, Sequence[int]]) -> np.ndarray:
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
    return f"{path}: the mask holds colours {shown}, which are no class; expected {known}"
