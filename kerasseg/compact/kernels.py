"""What one key point becomes in the image: a small square of values.

All values are multiples of 2**-16. Sums of such numbers are exact in float64, whatever their order: so an
image rebuilt in parts is that rebuilt whole, on every machine.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.special import j1

from kerasseg.compact.keypoints import Kernel
from kerasseg.errors import UserError, unknown

NORMS = ("sum", "peak")
SIZES = (1, 3, 5, 7, 9)  # larger ones OpenCV filters by Fourier transform, which is not exact
UNIT = 2.0**-16


def psf(
    wavelength: float, numerical_aperture: float, pixel_size: float, size: int = 5, norm: str = "peak"
) -> Kernel:
    """Sample the point spread function of a diffraction-limited lens, the Airy pattern (2 J1(x) / x)^2.

    Parameters
    ----------
    wavelength : float
        Of the light, in micrometres.
    numerical_aperture : float
        Of the lens.
    pixel_size : float
        Side of a pixel in the object's plane, in micrometres.
    size : int
        Side of the kernel, odd.
    norm : {"sum", "peak"}
        Whether the values sum to 1, or the greatest is 1.

    Returns
    -------
    Kernel

    Raises
    ------
    UserError
        If a length is not above 0, or `size` or `norm` is none.

    Notes
    -----
    x = 2 pi NA r / wavelength at the distance r from the centre (Born and Wolf, Principles of Optics,
    section 8.5.2, doi:10.1017/CBO9781139644181); the width at half height is 0.514 wavelength / NA.
    """
    lengths = {"wavelength": wavelength, "numerical_aperture": numerical_aperture, "pixel_size": pixel_size}
    _check_positive(**lengths)
    x = 2 * np.pi * numerical_aperture / wavelength * pixel_size * np.hypot(*_grid(size))
    x[size // 2, size // 2] = 1e-8  # of which the pattern's limit, 1, is the value
    return _normalised("psf", (2 * j1(x) / x) ** 2, norm)


def gaussian(sigma: float = 1.0, size: int = 5, norm: str = "peak") -> Kernel:
    """Sample a Gaussian of the standard deviation `sigma`, in pixels; else as `psf`."""
    _check_positive(sigma=sigma)
    y, x = _grid(size)
    return _normalised("gaussian", np.exp(-(y**2 + x**2) / (2 * sigma**2)), norm)


def mean(size: int = 5, norm: str = "peak") -> Kernel:
    """Give every pixel the same weight; else as `psf`."""
    return _normalised("mean", np.ones(_grid(size).shape[1:]), norm)


def pixel() -> Kernel:
    """Leave a point the pixel that it is, as in a bitmap."""
    return Kernel("pixel", "peak", np.ones((1, 1), np.float32))


KERNELS = {"psf": psf, "gaussian": gaussian, "mean": mean, "pixel": pixel}


def spread(values: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Add up a kernel around each pixel, times its value: (Y, X) float64; nothing lies beyond the image."""
    # OpenCV correlates; kernels are the same turned by half a circle
    return cv2.filter2D(values, -1, kernel.values.astype(np.float64), borderType=cv2.BORDER_CONSTANT)


def _grid(size: int) -> np.ndarray:
    """Distances of the kernel's pixels from its centre along Y and X: (2, size, size)."""
    if size not in SIZES:
        raise UserError(f"a kernel of size {size}; expected one of {', '.join(map(str, SIZES))} pixels")
    return np.mgrid[:size, :size] - float(size // 2)


def _normalised(name: str, values: np.ndarray, norm: str) -> Kernel:
    if norm not in NORMS:
        raise UserError(unknown("norm", norm, NORMS))
    values = values / (values.sum() if norm == "sum" else values.max())
    return Kernel(name, norm, (np.rint(values / UNIT) * UNIT).astype(np.float32))


def _check_positive(**lengths: float) -> None:
    wrong = [
        f"{name} is {length}; expected a number above 0" for name, length in lengths.items() if not length > 0
    ]
    if wrong:
        raise UserError(*wrong)
