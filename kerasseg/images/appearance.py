"""What the images look like that a network learnt from, in a few numbers, and whether another image does too.

Everything is measured as the network is shown it: after its channels, intensities and size were brought to
what it takes, and of training images after they were changed at random. So whatever preparation and
augmentation make up for is no difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

import cv2
import numpy as np

from kerasseg.errors import Notice

SIDE = 256  # pixels of the largest block that is measured
MOST = 256  # blocks of the training images that are measured
LOOKED_AT = 16  # blocks of another image, so that a slide takes no longer than a field
MOST_BLOCKS, FEW = 0.5, 0.25  # shares of them
SIGMAS = (1, 2, 4, 8)  # pixels of the Gaussians between which structures are of one fineness
SHARE = 1.0  # per cent of the training blocks that may lie outside on each side
MARGIN = 0.5  # deviations by which another image may go beyond the others
SATURATED = 0.999
COLOURED = 0.01  # share of the pixels of a block that has colours
TINY = 1e-12  # energy, where a block is flat
BALANCED = "balance of channel "


@dataclass(frozen=True)
class Measure:
    """How much it varies at least, what is said where it is less or more, and what to do about it."""

    varies: float
    less: str
    more: str
    advice: str


SCALE = ("of coarser structures", "of finer structures", "give --diameter, the size of its objects")
MEASURES = {
    "brightness": Measure(0.03, "darker", "brighter", "invert it, or choose another channel"),
    "contrast": Measure(0.02, "of less contrast", "of more contrast", "choose another channel"),
    "saturation": Measure(0.02, "", "saturated in more places", "take it with a shorter exposure"),
    "sharpness": Measure(0.08, "less sharp", "sharper or noisier", "take it in focus, or give --diameter"),
    "fineness": Measure(0.08, *SCALE),
    "coarseness": Measure(0.08, *SCALE),
    "asymmetry": Measure(
        0.25,
        "of dark structures on bright ground",
        "of bright structures on dark ground",
        "invert it, or choose another channel",
    ),
}
BALANCE = Measure(
    0.05, "weaker in channel {}", "stronger in channel {}", "give its channels in the order of the others"
)


class Unlike(Notice):
    """An image is unlike those that a network learnt from."""


@dataclass(frozen=True)
class Appearance:
    """The usual range of each measure in blocks of the training images.

    Attributes
    ----------
    side : int
        Pixels along each side of a block.
    ranges : mapping of str to tuple of float
        From each of `MEASURES`, and of several channels from ``balance of channel 1`` and its like, to its
        lowest and its highest usual value.
    """

    side: int
    ranges: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, patches: Iterable[np.ndarray]) -> Appearance:
        """Measure what a network is shown in training.

        Parameters
        ----------
        patches : iterable of numpy.ndarray
            (Y, X, C) or (Z, Y, X, C) float32 in [0, 1], at least one; they are taken until there are enough
            blocks, so they may go on without end.

        Returns
        -------
        Appearance
        """
        patches = iter(patches)
        first = next(patches)
        side = min(SIDE, *first.shape[-3:-1])
        shown = (block for patch in chain([first], patches) for block in blocks(patch, side))
        measured = np.array([measure(block) for block in islice(shown, MOST)])
        names = _names(first.shape[-1])
        least = [_measure(name).varies for name in names]
        margin = MARGIN * np.maximum(measured.std(axis=0), least)
        low, high = np.percentile(measured, (SHARE, 100 - SHARE), axis=0)
        ends = zip((low - margin).round(4).tolist(), (high + margin).round(4).tolist(), strict=True)
        return cls(side, dict(zip(names, ends, strict=True)))

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Appearance | None:
        """Read what `dataclasses.asdict` gives; None where others were measured than are here.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is damaged.
        """
        ranges = {name: (float(low), float(high)) for name, (low, high) in dict(given["ranges"]).items()}
        if list(ranges) not in (_names(1), _names(len(ranges) - len(MEASURES))):
            return None
        if not np.isfinite(list(ranges.values())).all() or not 0 < int(given["side"]) <= SIDE:
            raise ValueError(f"the appearance {given} is out of range")
        return cls(int(given["side"]), ranges)

    def differences(self, pixels: Any) -> list[tuple[str, bool]]:
        """Find the measures by which an image is unlike those of the training.

        Parameters
        ----------
        pixels : array
            What gives (Y, X, C) or (Z, Y, X, C) float32 in [0, 1] when it is sliced, and has a ``shape``; a
            few regions are read.

        Returns
        -------
        list of (str, bool)
            Measures that lie outside their range in most blocks, all at one end, and whether that is the
            higher one. Blocks without contrast say nothing, unless there is hardly any other.
        """
        channels = max(1, len(self.ranges) - len(MEASURES))  # others may follow, of what other stages found
        looked_at = blocks(pixels, self.side, LOOKED_AT)
        measured = np.array([measure(block[..., :channels]) for block in looked_at])
        low, high = np.array(list(self.ranges.values())).T
        contrast = list(self.ranges).index("contrast")
        structured = measured[:, contrast] >= low[contrast]
        if structured.mean() > FEW:
            measured = measured[structured]
        less, more = (outside.mean(axis=0) > MOST_BLOCKS for outside in (measured < low, measured > high))
        return [
            (name, bool(is_more))
            for name, is_less, is_more in zip(self.ranges, less, more, strict=True)
            if is_more or (is_less and _measure(name).less)
        ]

    def difference(self, pixels: Any) -> str:
        """Say by what an image is unlike those of the training, and what to do; nothing where it is not.

        `pixels` are those of `differences`.
        """
        differences = self.differences(pixels)
        said = [_said(name, is_more) for name, is_more in differences]
        advice = [_measure(name).advice for name, _ in differences]
        each_once = (", ".join(dict.fromkeys(said)), "; or ".join(dict.fromkeys(advice)))
        return "{}: {}; or train on some like it".format(*each_once) if differences else ""


def is_colour(pixels: Any) -> bool:
    """Tell whether an image of red, green and blue, with or without alpha, has colours, and not only greys.

    `pixels` is an array of any type as in `Appearance.differences`.
    """
    if pixels.shape[-1] not in (3, 4):
        return False
    looked_at = (block[..., :3] for block in blocks(pixels, SIDE, LOOKED_AT))
    return any((block.min(axis=-1) != block.max(axis=-1)).mean() > COLOURED for block in looked_at)


def _names(channels: int) -> list[str]:
    return [*MEASURES, *(f"{BALANCED}{k + 1}" for k in range(channels if channels > 1 else 0))]


def _measure(name: str) -> Measure:
    return MEASURES.get(name, BALANCE)


def _said(name: str, is_more: bool) -> str:
    measure = _measure(name)
    return (measure.more if is_more else measure.less).format(name.removeprefix(BALANCED))


def blocks(pixels: Any, side: int, most: int | None = None) -> Iterator[np.ndarray]:
    """Cut square blocks out of an image, side by side or overlapping a little, so that they cover it.

    Parameters
    ----------
    pixels : array
        As in `Appearance.differences`.
    side : int
        Pixels along each side of a block; fewer where the image has fewer.
    most : int, optional
        How many are cut at most, spread evenly over the image.

    Yields
    ------
    numpy.ndarray, (side, side, C)
        Of a volume blocks of single planes.
    """
    *depth, height, width = pixels.shape[:-1]
    axes = [range(size) for size in depth]
    for size in (height, width):
        count = math.ceil(size / side)
        axes.append([round(place) for place in np.linspace(0, max(size - side, 0), count)])
    counts = tuple(map(len, axes))
    total = math.prod(counts)
    chosen = np.linspace(0, total - 1, min(total, most or total)).round().astype(int)
    for numbers in zip(*np.unravel_index(chosen, counts), strict=True):
        *z, y, x = (axis[number] for axis, number in zip(axes, numbers, strict=True))
        region = (*(slice(plane, plane + 1) for plane in z), slice(y, y + side), slice(x, x + side))
        block = pixels[region]
        yield block.reshape(block.shape[-3:])


def measure(block: np.ndarray) -> np.ndarray:
    """Measure a block: `MEASURES` in their order, then the balance of its channels where there are several.

    Brightness is the median of the mean over channels, contrast its standard deviation, saturation the share
    of pixels at the upper end. Structures of one fineness are what is between two Gaussians (Burt and Adelson
    1983, doi:10.1109/TCOM.1983.1095851); sharpness, fineness and coarseness are logarithms of how much
    amplitude there is of one to how much there is of the next coarser one, which no change of contrast
    changes, while a change of scale moves all three. Asymmetry is the skewness of all structures together.

    Parameters
    ----------
    block : numpy.ndarray, (Y, X, C) float32 in [0, 1]

    Returns
    -------
    numpy.ndarray, (7,) of one channel, (7 + C,) of C channels, float64
    """
    grey = np.ascontiguousarray(block.mean(axis=-1, dtype=np.float32))
    blurred = [grey, *(cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in SIGMAS)]
    energies = [np.mean((fine - coarse) ** 2) + TINY for fine, coarse in pairwise(blurred)]
    structures = blurred[1] - blurred[-1]
    skewness = np.mean(structures**3) / (np.mean(structures**2) + TINY) ** 1.5
    means = block.mean(axis=(0, 1), dtype=np.float64)
    balance = means / max(means.sum(), TINY) if len(means) > 1 else []
    return np.array(
        [
            *(np.median(grey), grey.std(), np.mean(grey >= SATURATED)),
            *(-np.diff(np.log(energies)) / 2),
            skewness,
            *balance,
        ]
    )
