"""What samples hold, by reading every one of them once: before a training finds out, or worse, does not.

What they hold together is said to the user, and written down for the report.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.console import track
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.split import Split, audit
from kerasseg.errors import Mistakes, naming
from kerasseg.images import files, raster
from kerasseg.images.headers import Embedded
from kerasseg.images.masks import IGNORE
from kerasseg.images.preprocessing import Preprocessing, channel_converter, with_channels
from kerasseg.images.stores.store import open_store
from kerasseg.images.stores.volume import Volume

MOST_IGNORED = 0.5  # share of all pixels; above it little is left to learn from


@dataclass(frozen=True)
class Contents:
    """What some samples hold; those of two add up.

    Attributes
    ----------
    samples : int
        How many they are.
    pixels : numpy.ndarray, shape (K,), int64
        Pixels of each class.
    images : numpy.ndarray, shape (K,), int64
        Samples with any pixel of each class.
    objects : numpy.ndarray, shape (K,), int64, or None
        Objects of each class; None where those of a sample were not told apart.
    ignored, total : int
        Pixels that are ignored, for all classes or for some, and all pixels.
    diameters : numpy.ndarray, shape (N,)
        Of each object that was told apart in a 2-D image, that of a circle of its area, in pixels.
    pixel_sizes : numpy.ndarray, shape (M,)
        Of each 2-D image whose file says how large a pixel is, in micrometres.
    """

    samples: int
    pixels: np.ndarray
    images: np.ndarray
    objects: np.ndarray | None
    ignored: int
    total: int
    diameters: np.ndarray
    pixel_sizes: np.ndarray

    @property
    def diameter(self) -> float | None:
        """The median diameter of the objects, in pixels; None where none were told apart."""
        return float(np.median(self.diameters)) if len(self.diameters) else None

    @property
    def pixel_size(self) -> float | None:
        """The median size of a pixel, in micrometres; None where no file says it."""
        return float(np.median(self.pixel_sizes)) if len(self.pixel_sizes) else None

    def __add__(self, other: Contents) -> Contents:
        apart = self.objects is not None and other.objects is not None
        return Contents(
            self.samples + other.samples,
            self.pixels + other.pixels,
            self.images + other.images,
            self.objects + other.objects if apart else None,
            self.ignored + other.ignored,
            self.total + other.total,
            np.concatenate([self.diameters, other.diameters]),
            np.concatenate([self.pixel_sizes, other.pixel_sizes]),
        )

    def lines(self, classes: Sequence[str]) -> list[str]:
        """Say it in a line a class, and one of what is ignored."""
        lines = []
        for k, name in enumerate(classes):
            share = self.pixels[k] / max(self.total, 1)
            objects = "" if self.objects is None else f", {self.objects[k]:,} objects"
            where = f"in {self.images[k]} of {self.samples}"
            lines.append(f"{name}: {self.pixels[k]:,} pixels ({share:.2%}) {where}{objects}")
        if self.ignored:
            lines.append(f"ignored: {self.ignored / self.total:.2%} of the pixels")
        return lines

    def problems(self, classes: Sequence[str], what: str, most_ignored: float = MOST_IGNORED) -> list[str]:
        """Say what keeps a network from learning; `what` names the samples, such as "training images"."""
        problems = [
            f"{name} has no pixel in any of the {self.samples} {what}: look at the annotations, or leave the "
            "class out of data.classes"
            for name in self._missing(classes)
        ]
        if self.ignored > most_ignored * self.total:
            problems.append(
                f"{self.ignored / self.total:.0%} of the pixels of the {self.samples} {what} are ignored: "
                "look at the annotations, or at what 255 and crowds mean in them"
            )
        return problems

    def without_truth(self, classes: Sequence[str], what: str) -> list[str]:
        """Say which classes cannot be judged by these samples; `what` names them, such as "test images"."""
        if self.ignored == self.total:
            return [f"all pixels of the {self.samples} {what} are ignored, so there is nothing to score"]
        return [
            f"{name} has no pixel in any of the {self.samples} {what}, so it has no score"
            for name in self._missing(classes)
        ]

    def _missing(self, classes: Sequence[str]) -> list[str]:
        return [name for name, pixels in zip(classes, self.pixels, strict=True) if not pixels]


def survey(samples: Sequence[Sample], classes: int, preprocessing: Preprocessing) -> list[Contents]:
    """Read every image and every annotation once.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    classes : int
        K, the number of foreground classes.
    preprocessing : Preprocessing
        What the images are to go through.

    Returns
    -------
    list of Contents
        One for each sample.

    Raises
    ------
    UserError
        If anything cannot be read, or has no channels or intensities that the model could take; all of it
        at once.

    Notes
    -----
    2-D images are read by a thread a core; volumes one by one, for the sake of memory.
    """
    mistakes = Mistakes()

    def look(sample: Sample) -> Contents | None:
        with mistakes.noted():
            return contents(sample, classes, preprocessing)
        return None

    workers = 1 if len(samples[0].size) == 3 else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        read = list(track(pool.map(look, samples), "reading images and annotations", total=len(samples)))
    mistakes.messages.sort()  # threads end in any order
    mistakes.check()
    return [held for held in read if held is not None]


def contents(sample: Sample, classes: int, preprocessing: Preprocessing) -> Contents:
    """Read one sample, and count what it holds."""
    pixels, ignored = np.zeros(classes, np.int64), 0
    areas: list[Counter[int]] | None = [Counter() for _ in range(classes)]
    for annotation in _annotations(sample, preprocessing):
        mask = annotation.mask
        multilabel = mask.ndim > len(sample.size)
        layers = [mask[..., k] == 1 if multilabel else mask == k + 1 for k in range(classes)]
        pixels += [np.count_nonzero(layer) for layer in layers]
        unknown = (mask == IGNORE).any(axis=-1) if multilabel else mask == IGNORE
        ignored += int(np.count_nonzero(unknown))
        if annotation.labels is None:
            areas = None
        for of_class, layer in zip(areas or (), layers, strict=False):
            labels = annotation.labels[layer]
            numbers, counts = np.unique(labels[labels > 0], return_counts=True)
            of_class.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
    objects, diameters = None, np.empty(0)
    if areas is not None:
        objects = np.array([len(of_class) for of_class in areas])
        if len(sample.size) == 2:
            diameters = 2 * np.sqrt(np.concatenate([[*of_class.values()] for of_class in areas]) / np.pi)
    images, total = (pixels > 0).astype(np.int64), math.prod(sample.size)
    sizes = _pixel_sizes(sample.image)
    return Contents(1, pixels, images, objects, ignored, total, diameters, sizes)


def _annotations(sample: Sample, preprocessing: Preprocessing) -> Iterator[Annotation]:
    """Read all of an image, and give its annotation; that of a large one part by part."""
    if not sample.is_large:
        image = sample.read()
        with naming(str(sample.image)):
            if image.dtype.kind == "f":  # of all types alone may hold what no normalisation takes
                preprocessing.image(image)
            else:
                with_channels(image, preprocessing.channels)
        yield sample.annotate()
        return
    store = sample.opened()
    with naming(str(sample.image)):
        channel_converter(store, preprocessing.channels)
    if store.dtype.kind == "f":
        preprocessing.fitted(store)
    for part in track(sample.parts(), f"{sample.name}: reading image and annotation"):
        sample.read(part)
        yield sample.annotated(part)


def _pixel_sizes(image: Path | Embedded | Volume) -> np.ndarray:
    """Read how large a pixel of a 2-D image is, (1,) micrometres; (0,) where its file does not say."""
    if not isinstance(image, Path) or files.format_of(image) is raster:  # whose formats cannot say it
        return np.empty(0)
    with open_store(image) as store:
        sizes = [size for size in store.pixel_size if size]
    return np.array([np.sqrt(math.prod(sizes))] if len(sizes) == 2 else [])


def total(contents: Sequence[Contents]) -> Contents:
    """Add up what several samples hold."""
    return reduce(add, contents)


def describe_data(
    parts: Split, contents: Contents, classes: Sequence[str], group_by: str | None, *, synthetic: bool
) -> dict[str, Any]:
    """Count images, sizes, pixels and objects, and audit the split.

    Parameters
    ----------
    parts : Split
    contents : Contents
        What all samples hold together.
    classes : sequence of str
        Names of the classes 1, 2, ...
    group_by : str or None
        The attribute that it was split by.
    synthetic : bool
        Whether the data were made up.

    Returns
    -------
    dict
        ``origin``, ``images``, ``sizes``, ``objects``, ``pixels`` of each class, ``ignored`` pixels and
        ``audit``, in JSON's types.
    """
    samples = [sample for part in parts.parts().values() for sample in part]
    audited = audit(parts, group_by)
    return {
        "origin": "SYNTHETIC" if synthetic else "real",
        "images": len(samples),
        "sizes": Counter("x".join(map(str, sample.size)) for sample in samples),
        "objects": None if contents.objects is None else int(contents.objects.sum()),
        "pixels": dict(zip(classes, contents.pixels.tolist(), strict=True)),
        "ignored": contents.ignored,
        "audit": {"group_by": group_by, **vars(audited)},
    }
