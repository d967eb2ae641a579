"""An image with its annotation, its origin and what it may be grouped by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.headers import Embedded, Header
from kerasseg.images.stores.store import Region, Store
from kerasseg.images.stores.volume import Stored

LARGE = 2**26  # pixels, a quarter of a gigabyte a channel as float32: of more a part is read at a time
SHOWN = {2: 2048, 3: 256}  # pixels along each side of what is shown of a large image or volume


class MissingData(UserError):
    """There is no data where the recipe says; ``if_missing: synthesize`` may put some there."""


@dataclass(frozen=True)
class Annotation:
    """What somebody said about an image's pixels.

    Attributes
    ----------
    mask : numpy.ndarray, shape (Y, X) or (Z, Y, X), uint8
        Class ids; 0 is background, 255 is ignore. Where classes do not exclude each other there is a last
        axis of K: 0, 1 or 255 (ignore) for class k + 1 in channel k.
    labels : numpy.ndarray, shape (Y, X) or (Z, Y, X), int32, optional
        Instance ids, 0 is background; None where instances were not told apart.
    """

    mask: np.ndarray
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Sample:
    """An image and its annotation, neither of them read yet.

    Attributes
    ----------
    name : str
        Unique in its source.
    image : Path, Embedded or Stored
        The image file, which may lie in another one; or a volume or slide in a file or folder.
    size : tuple of int
        Height and width, of a volume depth, height and width; from the image's header.
    annotate : callable
        Reads or draws the annotation; with `by_region` that of a region too, if it is given one.
    attributes : mapping of str to str
        What ``split.group_by`` may name: ``folder``, and the columns of a table.
    spacing : tuple of float, optional
        Micrometres from one voxel to the next (z, y, x); None where it is not known.
    channels : tuple of callable
        Each reads a channel that the model sees beside the image: (Y, X) or (Z, Y, X) bool.
    by_region : bool
        Whether parts of image and annotation are read without the rest, as both are `Stored` in blocks.
    """

    name: str
    image: Path | Embedded | Stored
    size: tuple[int, ...]
    annotate: Callable[..., Annotation]
    attributes: Mapping[str, str] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    channels: tuple[Callable[[], np.ndarray], ...] = ()
    by_region: bool = False

    def header(self) -> Header:
        """Tell size, channels and type of the image, without reading a pixel."""
        return self.image.header() if isinstance(self.image, Stored) else files.header(self.image)

    def read(self, region: Region | None = None) -> np.ndarray:
        """Read the image ``(Y, X, C)`` or ``(Z, Y, X, C)`` as it is stored, or a region of a large one."""
        if isinstance(self.image, Stored):
            return self.image.read(region)
        image = files.read(self.image)
        return image if region is None else image[region]

    def annotated(self, region: Region | None = None) -> Annotation:
        """Read or draw the annotation; of a large image, that of a region of it."""
        return self.annotate() if region is None else self.annotate(region)

    @property
    def is_large(self) -> bool:
        """Whether it is never read whole."""
        return self.by_region and math.prod(self.size) > LARGE

    def opened(self) -> Store:
        """Open a large image, to see how it is stored and to read its bands; it is kept open, and shared."""
        return self.image.kept_open()

    def parts(self) -> list[Region | None]:
        """List what is read at a time to look at all of it: None, the whole, or the bands of a large one."""
        return list(self.opened().bands()) if self.is_large else [None]

    def middle(self) -> Region | None:
        """Choose what is shown: None, the whole, or the middle of a large one."""
        if not self.is_large:
            return None
        shown = SHOWN[len(self.size)]
        return tuple(slice(max(0, (side - shown) // 2), (side + shown) // 2) for side in self.size)
