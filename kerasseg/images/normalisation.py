"""How intensities come into [0, 1]: what becomes 0 and what becomes 1.

That is asked of a whole image; stretching to it can be done region by region. How it is asked is a value,
`Dtype()`, `Minmax()` or `Percentile(5, 98)`: training, prediction and an exported model are handed the same
one, and its fields, their ranges and their sentences are the keys of a recipe. NumPy is imported where an
image is looked at, as a recipe that is only read does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Interval
from typing_extensions import Doc

from kerasseg.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from kerasseg.images.statistics import Bands, Limits

Percent = Annotated[float, Interval(ge=0, le=100)]


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
            For :func:`kerasseg.images.preprocessing.stretch`.

        Raises
        ------
        UserError
            If a value is not finite, or lies where the normalisation takes none.
        """
        raise NotImplementedError

    def fitted(self, bands: Bands, dtype: np.dtype) -> Callable[[np.ndarray], np.ndarray]:
        """Look at an image, and give the function that changes it, or any region of it.

        Parameters, and errors, are those of `limits`.

        Returns
        -------
        callable
            From (..., C) as stored to (..., C) float32, as a network takes it.
        """
        from kerasseg.images.preprocessing import stretch

        return partial(stretch, limits=self.limits(bands, dtype))


@dataclass(frozen=True)
class Dtype(Normalisation):
    """The ends of the type's range become 0 and 1; floats lie in [0, 1] already."""

    name: ClassVar[str] = "dtype"

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Take the type's word; only floats are read, to see whether they keep to theirs."""
        from kerasseg.images.statistics import type_limits

        return type_limits(bands, dtype)


@dataclass(frozen=True)
class Minmax(Normalisation):
    """Each channel's smallest and largest value become 0 and 1."""

    name: ClassVar[str] = "minmax"

    def limits(self, bands: Bands, dtype: np.dtype) -> Limits:
        """Look at every value once; a constant channel becomes 0."""
        from kerasseg.images.statistics import extremes

        return extremes(bands)


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
        from kerasseg.images.statistics import Limits, percentiles

        return Limits(*percentiles(bands, dtype, (self.low, self.high)))


NORMALISATIONS: dict[str, type[Normalisation]] = {"dtype": Dtype, "minmax": Minmax, "percentile": Percentile}
