"""Where samples come from: a section for every source that a recipe may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.section import Component, imported, one_of

Folder = Annotated[Path, Field(strict=False)]
Level = Annotated[int, Field(ge=0, le=255)]
Channel = Annotated[int, Field(ge=0)]
Colour = Annotated[tuple[Level, Level, Level], Field(strict=False)]


class Source(Component):
    """Keys of every source."""

    root: Folder
    """Folder of the data; a relative path starts where the command is typed."""

    holds_one_class: ClassVar[bool] = False  # whether its files tell objects apart, but not classes
    synthesizer: ClassVar[str | None] = None
    """Where the function is that draws synthetic data in this layout; None where there is none."""

    def synthesize(self, seed: int) -> None:
        """Draw synthetic data."""
        imported(self.synthesizer)(self.root, seed=seed)


class Sartorius(Source):
    """Kaggle's layouts: a CSV file of run lengths, and images by their ids."""

    name: ClassVar[str] = "sartorius"
    builder: ClassVar[str] = "kerasseg.data.sources.sartorius:sartorius"
    holds_one_class: ClassVar[bool] = True
    synthesizer: ClassVar[str] = "kerasseg.synthetic.cells:synthesize"

    table: str | None = None
    """The CSV file, from root; null takes train.csv, or the only one that holds run lengths."""
    images: str | None = None
    """Folder of the images, in root; null takes train, or root itself."""


class Labelme(Source):
    """A folder of labelme's JSON files beside their images."""

    name: ClassVar[str] = "labelme"
    builder: ClassVar[str] = "kerasseg.data.sources.labelme:labelme"

    images: str = "."
    """Folder of the images, from root."""


class ImagesMasks(Source):
    """Images and masks in two folders, or in one and told apart by a suffix."""

    name: ClassVar[str] = "images_masks"
    builder: ClassVar[str] = "kerasseg.data.sources.images_masks:images_masks"

    images: str = "images"
    """Folder of the images, in root."""
    masks: str = "masks"
    """Folder of the masks, in root; the same folder needs a suffix."""
    suffix: str = ""
    """What a mask's name has after its image's: _mask where a.tif has a_mask.png."""
    values: dict[str, int] | None = None
    """The number of each class by its name, such as {cell: 255, ignore: 128}; null for class ids."""
    colours: dict[str, Colour] | None = None
    """Red, green and blue of each class, where masks hold colours; null takes CVAT's labelmap.txt."""


class Instances(Source):
    """Objects one by one: a label image for each image, or one PNG an object as in the Data Science Bowl."""

    name: ClassVar[str] = "instances"
    builder: ClassVar[str] = "kerasseg.data.sources.instances:instances"
    holds_one_class: ClassVar[bool] = True

    images: str = "*"
    """Names of the images without suffix, with * and ?; for label images only."""
    labels: str | None = None
    """Where an image's label image lies, such as masks/{stem}_cp_masks; null finds it by the usual names."""


class Coco(Source):
    """Images and one COCO file of annotations."""

    name: ClassVar[str] = "coco"
    builder: ClassVar[str] = "kerasseg.data.sources.coco:coco"

    annotations: str = "annotations.json"
    """The COCO file, from root."""
    images: str = "."
    """Folder that the file's file_name starts from, from root."""
    crowds: Literal["ignore", "objects"] = "ignore"
    """Whether iscrowd 1 marks a region to ignore, or an object like any other, as CVAT's brush masks are."""


class Volumes(Source):
    """Volumes and masks by the same names: TIFF, HDF5, OME-Zarrs, microscopes' files or folders of slices."""

    name: ClassVar[str] = "volumes"
    builder: ClassVar[str] = "kerasseg.data.sources.volumes:volumes"
    synthesizer: ClassVar[str] = "kerasseg.synthetic.golgi:synthesize"

    images: str | None = "images"
    """Folder of the images, in root; null where there are masks only, for data.unpaired."""
    masks: str = "masks"
    """Folder of the masks, in root; the same folder needs a suffix, or two datasets of one HDF5 file."""
    suffix: str = ""
    """What a mask's name has after its image's: _mask where a.tif has a_mask.tif."""
    mask_type: Literal["class_ids", "channels", "instances"] = "class_ids"
    """What a mask holds: class ids, a channel for each class, or a number for each object of one class."""
    values: dict[str, int] | None = None
    """For class_ids, the number of each class by its name, such as {cell: 255}; null for class ids."""
    channels: dict[str, Channel] | None = None
    """Each class's channel in the masks, from 0; null is the order of data.classes."""
    axes: str | None = None
    """What the images' stored axes are, such as ZCYX, where their files do not say."""
    mask_axes: str | None = None
    """What the masks' stored axes are."""
    dataset: str | None = None
    """Which of several images in a file: a dataset in HDF5, a scene by its name, t=3 for a point of time."""
    mask_dataset: str | None = None
    """Which of several images in a file is the mask."""

    def synthesize(self, seed: int) -> None:
        """Draw synthetic data, masks alone where there are to be no images."""
        imported(self.synthesizer)(self.root, seed=seed, masks_only=self.images is None)


class Queue(Source):
    """The tiles of a labelling folder that were accepted or edited; kerasseg label makes one."""

    name: ClassVar[str] = "queue"
    builder: ClassVar[str] = "kerasseg.labelling.source:labelled_tiles"


class WholeImages(Source):
    """Images that are of one class as a whole, or of none: files, and those in .npz and IDX files (MNIST)."""

    name: ClassVar[str] = "whole_images"
    builder: ClassVar[str] = "kerasseg.data.sources.whole_images:whole_images"
    synthesizer: ClassVar[str] = "kerasseg.synthetic.strokes:synthesize"

    class_from: Literal["folder", "label"] | None = None
    """What says the class of an image: its folder's name, or its label in its file; null is nothing, for
    key_points, which are chosen in the image itself."""


AnySource = one_of("source", Sartorius, Labelme, ImagesMasks, Instances, Coco, Volumes, Queue, WholeImages)
