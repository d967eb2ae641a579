"""How large a pixel is, in micrometres, by what a file says of it."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import tifffile

# Names of units in OME-XML, OME-Zarr and ImageJ, in lower case.
MICROMETRES = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch"), 25_400.0),
}

PixelSize = tuple[float | None, ...]


def of_tiff(file: tifffile.TiffFile, space: str) -> PixelSize:
    """Read the size of a pixel from OME-XML, ImageJ's description or the resolution tags.

    Parameters
    ----------
    file : tifffile.TiffFile
        Open.
    space : str
        Axes wanted: YX or ZYX.

    Returns
    -------
    tuple of float or None
        One for each axis, in micrometres; None where the file does not say. Dots per inch are what cameras
        and drawing programs write without meaning them, and are not taken for a size.
    """
    if file.is_ome:
        sizes = _of_ome(file.ome_metadata or "")
    elif file.is_imagej:
        sizes = _of_imagej(file)
    else:
        sizes = _of_resolution(file.pages.first)
    return tuple(map(sizes.get, space))


def micrometres(length: float, unit: str) -> float | None:
    """Turn a length into micrometres; None where the unit is unknown or the length makes no sense."""
    factor = MICROMETRES.get(unit.strip().lower())
    sensible = factor is not None and math.isfinite(length) and length > 0
    return length * factor if sensible else None


def _of_ome(xml: str) -> dict[str, float | None]:
    try:
        told = next(ElementTree.fromstring(xml).iterfind(".//{*}Pixels")).attrib
        return {
            axis: micrometres(float(told[f"PhysicalSize{axis}"]), told.get(f"PhysicalSize{axis}Unit", "µm"))
            for axis in "XYZ"
            if f"PhysicalSize{axis}" in told
        }
    except (ElementTree.ParseError, StopIteration, ValueError):
        return {}  # metadata that are broken are no reason to refuse the pixels


def _of_imagej(file: tifffile.TiffFile) -> dict[str, float | None]:
    told = file.imagej_metadata or {}
    unit = str(told.get("unit", "")).replace("\\u00B5", "µ")
    lengths = _pitch(file.pages.first) | ({"Z": float(told["spacing"])} if "spacing" in told else {})
    return {axis: micrometres(length, unit) for axis, length in lengths.items()}


def _of_resolution(page: tifffile.TiffPage) -> dict[str, float | None]:
    if page.resolutionunit != tifffile.RESUNIT.CENTIMETER:
        return {}
    return {axis: micrometres(length, "cm") for axis, length in _pitch(page).items()}


def _pitch(page: tifffile.TiffPage) -> dict[str, float]:
    """Invert the pixels per unit of length."""
    return {axis: 1 / dots for axis, dots in zip("XY", page.resolution, strict=True) if dots > 0}
