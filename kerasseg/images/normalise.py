"""From stored intensities to float32 in [0, 1], the only range that a model sees.

What becomes 0 and what becomes 1 is asked of a whole image; stretching to that can be done region by region.
How it is asked is a value, `Dtype()`, `Minmax()` or `Percentile(5, 98)`: training, prediction and an exported
model are handed the same one, and its fields, their ranges and their sentences are the keys of a recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from annotated_types import Interval
from typing_extensions import Doc

from kerasseg.errors import UserError
from kerasseg.images.statistics import Bands, bands_of, extremes, percentiles

Percent = Annotated[float, Interval(ge=0, le=100)]


class Limits(NamedTuple):
    """The intensities that become 0 and 1, each of shape (C,) or one for all channels."""

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Normalisation:
    """What becomes 0 and what becomes 1; a value that can be compared, hashed, pickled and written down."""

    name: ClassVar[str]

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Find what becomes 0 and 1 in an image that is seen in bands.

        Parameters
        ----------
        bands : callable
            From nothing to an iterable of parts of the image, (..., C) each; called as often as is needed.
        dtype : numpy.dtype
            Their type: uint8, uint16 or float32.

        Returns
        -------
        Limits
            For :func:`stretch`.

        Raises
        ------
        UserError
            If a value is not finite, or lies where the normalisation takes none.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Dtype(Normalisation):
    """The ends of the type's range become 0 and 1; floats lie in [0, 1] already."""

    name: ClassVar[str] = "dtype"

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Take the type's word; only floats are read, to see whether they keep to theirs."""
        if dtype.kind == "f":
            _check_unit_range(*extremes(bands))
            return Limits(np.zeros(1), np.ones(1))
        return Limits(np.zeros(1), np.full(1, np.iinfo(dtype).max))


@dataclass(frozen=True)
class Minmax(Normalisation):
    """Each channel's smallest and largest value become 0 and 1."""

    name: ClassVar[str] = "minmax"

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Look at every value once; a constant channel becomes 0."""
        return Limits(*extremes(bands))


@dataclass(frozen=True)
class Percentile(Normalisation):
    """Two percentiles of each channel become 0 and 1, and what lies beyond them is clipped.

    The defaults are StarDist's habit. 5 and 98 are the contrast stretch of A. H. da Rosa, Deep Learning
    Methods for the Segmentation of Fluorescent Microscopy Images, equation 5.1, which does not say what
    becomes of values beyond them; here they are clipped. Where both are one intensity, it becomes 0.

    Raises
    ------
    UserError
        If they are not percentiles, or `low` is not the smaller.
    """

    name: ClassVar[str] = "percentile"

    low: Annotated[
        Percent,
        Doc("Per cent of a channel's values that become 0; 5 for the contrast stretch of the Golgi recipes."),
    ] = 1.0
    high: Annotated[
        Percent, Doc("Per cent of a channel's values below what becomes 1; 98 for that contrast stretch.")
    ] = 99.8

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise UserError(
                f"low is {self.low:g} and high is {self.high:g}; low must be less than high, and both are "
                "percentiles from 0 to 100"
            )

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Count every value: exactly what `numpy.percentile` finds in the whole image."""
        return Limits(*percentiles(bands, dtype, (self.low, self.high)))


NORMALISATIONS: dict[str, type[Normalisation]] = {"dtype": Dtype, "minmax": Minmax, "percentile": Percentile}


def normalise(image: np.ndarray, method: Normalisation = Dtype()) -> np.ndarray:
    """Scale intensities to [0, 1].

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        As stored; the last axis is channels.
    method : Normalisation
        What becomes 0 and 1; the rest is clipped.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]

    Raises
    ------
    UserError
        If a value is not finite, or `Dtype` is given floats outside [0, 1].
    """
    return stretch(image, method.limits(bands_of(image), image.dtype))


def stretch(image: np.ndarray, limits: Limits) -> np.ndarray:
    """Map known limits to 0 and 1, and clip the rest.

    Parameters
    ----------
    image : numpy.ndarray, shape (..., C), uint8, uint16 or float32
        An image or a region of one.
    limits : Limits
        Of the whole image.

    Returns
    -------
    numpy.ndarray, same shape, float32 in [0, 1]
        The image itself where there is nothing to do.
    """
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    if image.dtype == np.float32 and (low == 0).all() and (high == 1).all():
        return image
    stretched = image.astype(np.float32)
    stretched -= low
    stretched /= np.where(high > low, high - low, np.float32(1))
    return np.clip(stretched, 0, 1, out=stretched)


def _check_unit_range(low: np.ndarray, high: np.ndarray) -> None:
    if low.min() < 0 or high.max() > 1:
        raise UserError(
            f"float intensities lie in [{low.min():g}, {high.max():g}]; expected [0, 1] with normalise: "
            "dtype. Set data.normalise to minmax or percentile"
        )
