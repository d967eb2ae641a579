"""How large a pixel is, in micrometres, by what a file says of it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import tifffile

from kerasseg.errors import Notice

# Units in OME-XML, OME-Zarr, ImageJ and vendors' tags, in lower case and without the plural's s.
MICROMETRES = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "a", "angstrom", "ångström"), 1e-4),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch", "inche", '"'), 25_400.0),
}
NO_LENGTH = {"", "pixel", "pixels", "px", "none", "dimensionless"}  # what is said where no size is known

PixelSize = tuple[float | None, ...]
Said = dict[str, tuple[float, str]]  # a length and its unit by axis, as a file says them


def of_tiff(file: tifffile.TiffFile, space: str) -> PixelSize:
    """Read the size of a pixel from OME-XML, ImageJ's description, a maker's tags or the resolution tags.

    Parameters
    ----------
    space : str
        Axes wanted: YX or ZYX.

    Returns
    -------
    tuple of float or None
        One for each axis, in micrometres; None where the file does not say. Dots per inch are what cameras
        and drawing programs write without meaning them, and are not taken for a size.

    Warns
    -----
    Notice
        If a size is there whose unit is not a length, or which makes no sense.
    """
    said: Said = {}
    formats = file.flags  # asked once: tifffile tries every format
    for format_, read in READERS.items():
        if format_ in formats:
            try:
                said = read(file) | said
            except (AttributeError, KeyError, IndexError, TypeError, ValueError, ElementTree.ParseError):
                continue  # metadata that are broken are no reason to refuse the pixels
    return sizes(said or _of_resolution(file), space, file.filename)


def sizes(said: Mapping[str, tuple[float, str]], space: str, name: str) -> PixelSize:
    """Turn what a file says of its pixels into micrometres, and say what is not understood.

    Parameters
    ----------
    said : mapping of str to (float, str)
        A length and its unit for each axis that the file knows.

    Returns
    -------
    tuple of float or None

    Warns
    -----
    Notice
        As :func:`of_tiff`.
    """
    lengths = {axis: micrometres(*said[axis]) for axis in space if axis in said}
    lost = [
        f"{axis} {length:g} {unit}"
        for axis, (length, unit) in said.items()
        if axis in lengths and lengths[axis] is None and unit.strip().lower() not in NO_LENGTH
    ]
    if lost:
        warnings.warn(
            f"{name}: the size of a pixel is left out, as its unit is unknown: {', '.join(lost)}",
            Notice,
            stacklevel=2,
        )
    return tuple(map(lengths.get, space))


def micrometres(length: float, unit: str) -> float | None:
    """Turn a length into micrometres.

    Parameters
    ----------
    length : float
    unit : str
        Its name or symbol in any case, one or many; ``\\u00B5`` may be written so, as ImageJ does.

    Returns
    -------
    float or None
        None where the unit is not a known length, or the length is not a finite number above 0.
    """
    named = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), unit).strip().lower()
    factor = MICROMETRES.get(named) or MICROMETRES.get(named.removesuffix("s"))
    sensible = factor is not None and math.isfinite(length) and length > 0
    return length * factor if sensible else None


def _of_ome(file: tifffile.TiffFile) -> Said:
    attributes = next(ElementTree.fromstring(file.ome_metadata or "").iterfind(".//{*}Pixels")).attrib
    return {
        axis: (
            float(attributes[f"PhysicalSize{axis}"]),
            attributes.get(f"PhysicalSize{axis}Unit", "µm"),
        )
        for axis in "XYZ"
        if f"PhysicalSize{axis}" in attributes
    }


def _of_imagej(file: tifffile.TiffFile) -> Said:
    """Read ImageJ's description: units of y and z are x's unless named, and a depth of 1 is left out."""
    description = file.imagej_metadata or {}
    unit = str(description.get("unit", ""))
    units = {axis: str(description.get(f"{axis.lower()}unit", unit)) for axis in "XYZ"}
    lengths = _pitch(file.pages.first)
    if "spacing" in description or (unit and description.get("slices", 1) > 1):
        lengths["Z"] = float(description.get("spacing", 1))
    return {axis: (length, units[axis]) for axis, length in lengths.items()}


def _of_metamorph(file: tifffile.TiffFile) -> Said:
    tags = file.stk_metadata
    unit = str(tags.get("CalibrationUnits", ""))
    depths = [float(depth) for depth in tags.get("ZDistance", ()) if depth]
    said = {axis: (float(tags[f"{axis}Calibration"]), unit) for axis in "XY" if f"{axis}Calibration" in tags}
    return said | ({"Z": (depths[0], unit)} if depths else {})


def _of_lsm(file: tifffile.TiffFile) -> Said:
    return {axis: (float(file.lsm_metadata[f"VoxelSize{axis}"]), "m") for axis in "XYZ"}


def _of_fei(file: tifffile.TiffFile) -> Said:
    scan = file.fei_metadata["Scan"]
    return {"X": (float(scan["PixelWidth"]), "m"), "Y": (float(scan["PixelHeight"]), "m")}


def _of_zeiss_sem(file: tifffile.TiffFile) -> Said:
    *_, length, unit = file.sem_metadata.get("ap_image_pixel_size") or file.sem_metadata["ap_pixel_size"]
    return dict.fromkeys("XY", (float(length), unit))


def _of_olympus(file: tifffile.TiffFile) -> Said:
    return {axis: (float(file.sis_metadata[f"pixelsize{axis.lower()}"]), "m") for axis in "XY"}


def _of_fluoview(file: tifffile.TiffFile) -> Said:
    dimensions = file.fluoview_metadata["Dimensions"]
    return {
        str(name).upper(): (float(calibration), str(unit))
        for name, _, _, calibration, unit, *_ in dimensions
        if str(name).upper() in "XYZ"
    }


def _of_metaseries(file: tifffile.TiffFile) -> Said:
    plane = file.metaseries_metadata["PlaneInfo"]
    unit = str(plane["spatial-calibration-units"])
    return {axis: (float(plane[f"spatial-calibration-{axis.lower()}"]), unit) for axis in "XY"}


def _of_micromanager(file: tifffile.TiffFile) -> Said:
    summary = file.micromanager_metadata["Summary"]
    said = dict.fromkeys("XY", (float(summary["PixelSize_um"]), "um"))
    return said | ({"Z": (float(summary["z-step_um"]), "um")} if "z-step_um" in summary else {})


def _of_aperio(file: tifffile.TiffFile) -> Said:
    said = re.search(r"\|\s*MPP\s*=\s*([0-9.]+)", file.pages.first.description)
    return dict.fromkeys("XY", (float(said[1]), "um"))


READERS: dict[str, Callable[[tifffile.TiffFile], Said]] = {
    "ome": _of_ome,
    "imagej": _of_imagej,
    "stk": _of_metamorph,
    "lsm": _of_lsm,
    "fei": _of_fei,
    "sem": _of_zeiss_sem,
    "sis": _of_olympus,
    "fluoview": _of_fluoview,
    "metaseries": _of_metaseries,
    "micromanager": _of_micromanager,
    "svs": _of_aperio,
}
"""What reads the size of a pixel, by tifffile's names of formats; the first that knows an axis holds."""


def _of_resolution(file: tifffile.TiffFile) -> Said:
    page: Any = file.pages.first
    if page.resolutionunit != tifffile.RESUNIT.CENTIMETER:
        return {}
    return {axis: (length, "cm") for axis, length in _pitch(page).items()}


def _pitch(page: tifffile.TiffPage) -> dict[str, float]:
    """Invert the pixels per unit of length."""
    return {axis: 1 / dots for axis, dots in zip("XY", page.resolution, strict=True) if dots > 0}
