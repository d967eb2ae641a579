"""The annotation formats: how each is called, and which module of this package reads and writes it.

========  =================================================================  =============================
format    read from                                                          written as
========  =================================================================  =============================
labelme   a folder of JSON files, or one                                     a folder of JSON files
masks     a folder of images, or one: class ids, 0 and 255, or palettes      a folder of grey PNGs
labels    a folder of images of instance ids, or one, all of one class       16-bit PNGs, or 32-bit TIFFs
coco      a JSON file, or a folder that holds one                            a JSON file
rle       a CSV file as Kaggle's, or a folder that holds one                 a CSV file
geojson   a folder of QuPath's GeoJSON files, or one                         a folder of GeoJSON files
imagej    a folder of zips of ImageJ's ROIs, or one                          a folder of zips
========  =================================================================  =============================

A format is one line here and one module, which is imported where it is used. It has these functions:

``read_drawings(source, options)``
    Drawings by name, from a file or folder.
``plan(drawings, target, options)``
    What writes each file; nothing is written before the plan is complete.
``outline_drawings(drawings, tolerance)``
    Only where pixels become outlines: the drawings to write, and what is left of them when a program fills
    the outlines by the format's rule.
``write_objects(path, name, size, objects, classes, *, tolerance)``
    Only where `suffix_of_results` is set: one image's objects, each a ``mask`` shape, one after another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Format:
    """An annotation format.

    Attributes
    ----------
    name : str
        What it is called on the command line.
    module : str
        In this package; see there.
    needs_classes : bool
        Whether its files name no classes, so that a user must.
    objects_only : bool
        Whether crowds and what is to be ignored are left out.
    keeps_planes : bool
        Whether it says on which plane of a stack a shape lies; elsewhere each plane is an image of its own.
    suffix_of_results : str
        What a file of predicted objects ends in; empty where objects are not predicted into this format.
    """

    name: str
    module: str
    needs_classes: bool = False
    objects_only: bool = False
    keeps_planes: bool = False
    suffix_of_results: str = ""

    def load(self) -> ModuleType:
        """Import its module."""
        return import_module(f"kerasseg.annotations.{self.module}")


FORMATS = {
    format.name: format
    for format in (
        Format("labelme", "labelme", suffix_of_results=".json"),
        Format("masks", "masks", needs_classes=True),
        Format("labels", "label_images", needs_classes=True, objects_only=True),
        Format("coco", "coco", suffix_of_results=".coco.json"),
        Format("rle", "kaggle", needs_classes=True, objects_only=True),
        Format("geojson", "geojson", keeps_planes=True, suffix_of_results=".geojson"),
        Format("imagej", "imagej", keeps_planes=True, suffix_of_results=".roi.zip"),
    )
}
PIXELS = {"png": ".png", "tiff": ".ome.tif", "zarr": ".ome.zarr"}
"""What a file of predicted pixels ends in, by format."""
OUTLINES = {name: format.suffix_of_results for name, format in FORMATS.items() if format.suffix_of_results}
"""What a file of predicted objects ends in, by format."""


def any_of(names: Iterable[str]) -> str:
    """List names as a sentence does: ``"labelme, coco or imagej"``."""
    *most, last = names
    return f"{', '.join(most)} or {last}"
