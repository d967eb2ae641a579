"""What samples hold, by reading every one of them once: before a training finds out, or worse, does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from kerasseg.console import track
from kerasseg.data.sample import Sample
from kerasseg.errors import Mistakes
from kerasseg.images.channels import with_channels
from kerasseg.images.normalise import Dtype, Normalisation
from kerasseg.images.prepare import prepare
from kerasseg.masks import IGNORE

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
    """

    samples: int
    pixels: np.ndarray
    images: np.ndarray
    objects: np.ndarray | None
    ignored: int
    total: int

    def __add__(self, other: Contents) -> Contents:
        apart = self.objects is not None and other.objects is not None
        return Contents(
            self.samples + other.samples,
            self.pixels + other.pixels,
            self.images + other.images,
            self.objects + other.objects if apart else None,
            self.ignored + other.ignored,
            self.total + other.total,
        )

    def lines(self, classes: Sequence[str]) -> list[str]:
        """Say it in a line a class, and one of what is ignored."""
        said = []
        for at, name in enumerate(classes):
            share = self.pixels[at] / max(self.total, 1)
            objects = "" if self.objects is None else f", {self.objects[at]:,} objects"
            where = f"in {self.images[at]} of {self.samples}"
            said.append(f"{name}: {self.pixels[at]:,} pixels ({share:.2%}) {where}{objects}")
        return [*said, f"ignored: {self.ignored / self.total:.2%} of the pixels"] if self.ignored else said

    def problems(self, classes: Sequence[str], what: str, most_ignored: float = MOST_IGNORED) -> list[str]:
        """Say what keeps a network from learning; `what` names the samples, such as "training images"."""
        missing = [name for name, pixels in zip(classes, self.pixels, strict=True) if not pixels]
        found = [
            f"{name} has no pixel in any of the {self.samples} {what}: look at the annotations, or leave the "
            "class out of data.classes"
            for name in missing
        ]
        if self.ignored > most_ignored * self.total:
            found.append(
                f"{self.ignored / self.total:.0%} of the pixels of the {self.samples} {what} are ignored: "
                "look at the annotations, or at what 255 and crowds mean in them"
            )
        return found

    def without_truth(self, classes: Sequence[str], what: str) -> list[str]:
        """Say which classes cannot be judged by these samples; `what` names them, such as "test images"."""
        if self.ignored == self.total:
            return [f"all pixels of the {self.samples} {what} are ignored, so there is nothing to judge by"]
        missing = [name for name, pixels in zip(classes, self.pixels, strict=True) if not pixels]
        return [
            f"{name} has no pixel in any of the {self.samples} {what}, so it has no score" for name in missing
        ]


def survey(
    samples: Sequence[Sample], classes: int, channels: int | None, method: Normalisation = Dtype()
) -> list[Contents]:
    """Read every image and every annotation once.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    classes : int
        K, the number of foreground classes.
    channels : int or None
        Channels that the model takes; None as stored.
    method : Normalisation
        How intensities come into [0, 1].

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
            return contents(sample, classes, channels, method)
        return None

    workers = 1 if len(samples[0].size) == 3 else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        found = list(track(pool.map(look, samples), "reading images and annotations", total=len(samples)))
    mistakes.messages.sort()  # threads end in any order
    mistakes.check()
    return [each for each in found if each is not None]


def contents(sample: Sample, classes: int, channels: int | None, method: Normalisation = Dtype()) -> Contents:
    """Read one sample, and count what it holds."""
    image = sample.read()
    with_channels(image, channels, str(sample.image))
    if image.dtype.kind == "f":  # of all types alone may hold what no normalisation takes
        prepare(image, channels=channels, method=method, size=None, name=str(sample.image))
    annotation = sample.annotate()
    mask, several = annotation.mask, annotation.mask.ndim > len(sample.size)
    layers = [mask[..., at] == 1 if several else mask == at + 1 for at in range(classes)]
    pixels = np.array([np.count_nonzero(layer) for layer in layers])
    ignored = (mask == IGNORE).any(axis=-1) if several else mask == IGNORE
    objects = None
    if annotation.labels is not None:
        ids = (np.unique(annotation.labels[layer]) for layer in layers)
        objects = np.array([np.count_nonzero(found) for found in ids])
    return Contents(
        1, pixels, (pixels > 0).astype(np.int64), objects, int(np.count_nonzero(ignored)), ignored.size
    )


def total(found: Sequence[Contents]) -> Contents:
    """Add up what was found in several samples."""
    return reduce(add, found)
