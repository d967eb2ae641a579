"""Few pixels of an image, its key points, that are learnt instead of annotations, and rebuild the image."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from kerasseg.recipe.document import shown
from kerasseg.recipe.section import Component, Rate, Section, one_of


def _points(value: Any) -> Any:
    if type(value) is int and value > 0:
        return value
    share = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value) if isinstance(value, str) else None
    if share and 0 < float(share[1]) < 100:
        return value
    text = f"must be a number of points, or a share of the pixels such as 5%; got {shown(value)}"
    raise PydanticCustomError("component", "{text}", {"text": text})


class Kernel(Component):
    """Keys of every kernel."""

    size: Literal[1, 3, 5, 7, 9] = 5
    """Side of the kernel in pixels."""
    norm: Literal["sum", "peak"] = "peak"
    """Whether the greatest value is 1, or the values sum to 1, which leaves thin objects dim."""


class Gaussian(Kernel):
    """A Gaussian."""

    name: ClassVar[str] = "gaussian"
    builder: ClassVar[str] = "kerasseg.compact.kernels:gaussian"

    sigma: Rate = 1.0
    """Its standard deviation in pixels."""


class Psf(Kernel):
    """The point spread function of a diffraction-limited lens: the Airy pattern."""

    name: ClassVar[str] = "psf"
    builder: ClassVar[str] = "kerasseg.compact.kernels:psf"

    wavelength: Rate
    """Wavelength of the light in micrometres."""
    numerical_aperture: Rate
    """Numerical aperture of the lens."""
    pixel_size: Rate
    """Side of a pixel in micrometres; the pattern is 0.514 wavelength / aperture wide at half its height."""


class Mean(Kernel):
    """All values alike."""

    name: ClassVar[str] = "mean"
    builder: ClassVar[str] = "kerasseg.compact.kernels:mean"


AnyKernel = one_of("kernel", Gaussian, Psf, Mean)


class KeyPoints(Section):
    """What is learnt where images are to become few points, from which a kernel rebuilds them."""

    target: Literal["skeleton", "pursuit"] = "skeleton"
    """How a training image's points are chosen: by Zhang and Suen's thinning of what is brighter than Otsu's
    threshold, or one by one, each where it makes the rebuilt image most like the image."""
    points: Annotated[int | str, BeforeValidator(_points)] = 39
    """Number of points wanted in an image as the network sees it, or their share of its pixels, as in 5%."""
    kernel: AnyKernel = Gaussian()
    """What one point becomes in the rebuilt image."""

    @property
    def budget(self) -> float:
        """The number of points, or a share below 1."""
        return float(self.points.rstrip(" %")) / 100 if isinstance(self.points, str) else self.points
