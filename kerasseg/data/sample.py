"""An image with its annotation, its origin and what it may be grouped by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.headers import Embedded, Header
from kerasseg.images.stores.volume import Volume


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
    image : Path, Embedded or Volume
        The image file, which may lie in another one; or a volume in a file or folder.
    size : tuple of int
        Height and width, of a volume depth, height and width; from the image's header.
    annotate : callable
        Reads or draws the annotation.
    attributes : mapping of str to str
        What ``split.group_by`` may name: ``folder``, and the columns of a table.
    spacing : tuple of float, optional
        Micrometres from one voxel to the next (z, y, x); None where it is not known.
    channels : tuple of callable
        Each reads a channel that the model sees beside the image: (Y, X) or (Z, Y, X) bool.
    """

    name: str
    image: Path | Embedded | Volume
    size: tuple[int, ...]
    annotate: Callable[[], Annotation]
    attributes: Mapping[str, str] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    channels: tuple[Callable[[], np.ndarray], ...] = ()

    def header(self) -> Header:
        """Tell size, channels and type of the image, without reading a pixel."""
        return self.image.header() if isinstance(self.image, Volume) else files.header(self.image)

    def read(self) -> np.ndarray:
        """Read the image ``(Y, X, C)`` or ``(Z, Y, X, C)`` as it is stored."""
        return self.image.read() if isinstance(self.image, Volume) else files.read(self.image)
