"""Where samples come from: one section for every entry of `kerasseg.data.sources.SOURCES`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from kerasseg.recipe.section import Component, one_of

Folder = Annotated[Path, Field(strict=False)]


class Source(Component):
    """What every source needs."""

    root: Folder
    """Folder of the data; a relative path starts where the command is typed."""


class Sartorius(Source):
    """Kaggle's layout: train.csv with run lengths, and train/*.png."""

    name: ClassVar[str] = "sartorius"


class Labelme(Source):
    """A folder of labelme's JSON files beside their images."""

    name: ClassVar[str] = "labelme"


class ImagesMasks(Source):
    """Images and masks in two folders, or in one and told apart by a suffix."""

    name: ClassVar[str] = "images_masks"


class Instances(Source):
    """Objects one by one: a label image for each image, or one PNG an object as in the Data Science Bowl."""

    name: ClassVar[str] = "instances"


class Coco(Source):
    """Images and one COCO file of annotations."""

    name: ClassVar[str] = "coco"


AnySource = one_of("source", Sartorius, Labelme, ImagesMasks, Instances, Coco)
