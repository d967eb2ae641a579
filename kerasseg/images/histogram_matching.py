"""Intensities of one image brought to the histogram of another.

Two histograms are all it takes: they give a table from old intensities to new ones, which is applied region
by region. So a stack is read twice and never whole. The table is that of
`skimage.exposure.match_histograms`, after Gonzalez and Woods 2008, Digital Image Processing, section 3.3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.statistics import VALUES, Bands, bands_of, histogram

TYPES = ("uint8", "uint16")  # of what can be counted


@dataclass(frozen=True)
class Matching:
    """The histogram that each image or volume is brought to; a value that is compared and written down.

    Attributes
    ----------
    dtype : {"uint8", "uint16"}
        The type that images have then.
    intensities : tuple of tuple of int
        For each channel the intensities that there are, from low to high.
    counts : tuple of tuple of int
        How many pixels have each of them.
    leave_out : tuple of int
        Intensities that are not counted and stay as they are, such as that of a frame.
    """

    dtype: str
    intensities: tuple[tuple[int, ...], ...]
    counts: tuple[tuple[int, ...], ...]
    leave_out: tuple[int, ...] = ()

    @classmethod
    def to(cls, counts: np.ndarray, dtype: np.dtype, leave_out: Iterable[int] = ()) -> Matching:
        """Match to what was counted, (C, 65536), in images of a type."""
        there = [np.flatnonzero(channel).tolist() for channel in counts]
        numbers = [channel[each].tolist() for channel, each in zip(counts, there, strict=True)]
        name = np.dtype(dtype).name
        return cls(name, tuple(map(tuple, there)), tuple(map(tuple, numbers)), tuple(leave_out))

    @property
    def histogram(self) -> np.ndarray:
        """How often each channel has each intensity: (C, 65536) int64."""
        found = np.zeros((len(self.counts), VALUES), np.int64)
        for channel, there, numbers in zip(found, self.intensities, self.counts, strict=True):
            channel[list(there)] = numbers
        return found

    def table(self, bands: Bands, dtype: np.dtype) -> np.ndarray:
        """Find the new intensity of each old one of an image that is seen in bands: see `table`.

        Raises
        ------
        UserError
            If it is of another type than those that can be counted, or has other channels.
        """
        check_countable(dtype)
        return self.table_of(counts(bands, self.leave_out), dtype)

    def table_of(self, found: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Find the same of an image whose intensities were counted: (C, 65536), see `counts`."""
        if len(found) != len(self.counts):
            raise UserError(
                f"it has {len(found)} channels, and the histogram that it is to be matched to "
                f"{len(self.counts)}; set data.channels to a number"
            )
        return table(found, self.histogram, dtype, self.leave_out, np.dtype(self.dtype))

    def image(self, image: np.ndarray) -> np.ndarray:
        """Match a whole image, (..., C): the same shape, of the type of the histogram."""
        return matched(image, self.table(bands_of(image), image.dtype))

    def to_json(self) -> dict[str, Any]:
        """Write it down in JSON's types, a line for each channel's intensities and one for its counts."""
        lines = {"intensities": self.intensities, "counts": self.counts}
        written = {name: [" ".join(map(str, each)) for each in channels] for name, channels in lines.items()}
        return {"dtype": self.dtype, **written, "leave_out": list(self.leave_out)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Matching:
        """Read it back.

        Raises
        ------
        ValueError
            If it is no histogram.
        """
        try:
            dtype, leave_out = given["dtype"], tuple(given["leave_out"])
            there, numbers = (
                tuple(tuple(map(int, line.split())) for line in given[name])
                for name in ("intensities", "counts")
            )
            fit = dtype in TYPES and all(value in range(VALUES) for value in leave_out)
            for values, pixels in zip(there, numbers, strict=True):
                in_order = list(values) == sorted(set(values)) and set(values) <= set(
                    range(np.iinfo(dtype).max + 1)
                )
                fit = fit and in_order and len(values) == len(pixels) and min(pixels, default=1) > 0
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the histogram that images are matched to cannot be read: {error}") from error
        if not fit:
            raise ValueError("the histogram that images are matched to is none")
        return cls(dtype, there, numbers, leave_out)


def check_countable(dtype: np.dtype) -> None:
    """Refuse images of another type than those whose intensities can be counted."""
    if np.dtype(dtype).name not in TYPES:
        raise UserError(f"it holds {dtype}; expected {' or '.join(TYPES)}, which can be counted")


def counts(bands: Bands, leave_out: Iterable[int] = ()) -> np.ndarray:
    """Count how often each channel has each intensity.

    Parameters
    ----------
    bands : callable
        From nothing to an iterable of parts of the image, (..., C) each, uint8 or uint16.
    leave_out : iterable of int
        Intensities that are not counted, such as that of a frame around the image.

    Returns
    -------
    np.ndarray
        (C, 65536) int64.
    """
    found = histogram(bands)
    found[:, list(leave_out)] = 0
    return found


def table(
    image: np.ndarray,
    reference: np.ndarray,
    dtype: np.dtype,
    leave_out: Iterable[int] = (),
    into: np.dtype | None = None,
) -> np.ndarray:
    """Find the new intensity of each old one.

    Parameters
    ----------
    image, reference : np.ndarray
        (C, 65536) what `counts` counted in each.
    dtype : np.dtype
        uint8 or uint16: of the image.
    leave_out : iterable of int
        Intensities that stay as they are.
    into : np.dtype, optional
        uint8 or uint16: of the reference, where that is another.

    Returns
    -------
    np.ndarray
        (C, V) of the reference's type, V being how many values the image's has: the nearest whole numbers to
        those that scikit-image finds. Of an image of which nothing was counted all stay as they are, as far
        as the type holds them.
    """
    values = np.iinfo(dtype).max + 1
    unchanged = np.minimum(np.arange(values), np.iinfo(into or dtype).max).astype(into or dtype)
    found = np.tile(unchanged, (len(image), 1))
    for channel, (old, new) in enumerate(zip(image[:, :values], reference, strict=True)):
        if old.any() and new.any():
            there = np.flatnonzero(new)
            quantiles = np.cumsum(new[there]) / new.sum()
            found[channel] = np.rint(np.interp(np.cumsum(old) / old.sum(), quantiles, there))
    kept = [value for value in leave_out if value < values]
    found[:, kept] = unchanged[kept]
    return found


def matched(region: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give a region, (..., C) uint8 or uint16, its new intensities from a `table`: of the same type."""
    return np.stack([one[region[..., channel]] for channel, one in enumerate(new)], axis=-1)


def moved(counts: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give the counts, (C, 65536), of an image whose intensities a `table` replaced."""
    found = np.zeros_like(counts)
    for channel, one in enumerate(new):
        np.add.at(found[channel], one, counts[channel, : len(one)])
    return found
