"""Kernels: their shapes by optics and by eye, and numbers that add up exactly."""

import numpy as np
import pytest

from kerasseg.compact import kernels
from kerasseg.compact.kernels import KERNELS, UNIT
from kerasseg.errors import UserError


def test_the_airy_pattern_is_dark_where_optics_says():
    first_dark_ring = 1.2197 / 2 * 0.5 / 1.4  # in micrometres
    across = kernels.psf(0.5, 1.4, pixel_size=first_dark_ring / 3, size=9).values[4]
    assert across[4] == 1
    assert across[4 + 3] == pytest.approx(0, abs=1e-4)
    assert across[4 + 1] > across[4 + 2] > across[4 + 3] < across[4 + 4]


def test_the_airy_pattern_is_as_wide_as_optics_says():
    half_width = 0.5145 / 2 * 0.6 / 0.9
    assert kernels.psf(0.6, 0.9, pixel_size=half_width).values[2, 3] == pytest.approx(0.5, abs=0.002)


def test_a_gaussian_by_eye():
    row = kernels.gaussian(1).values[2]
    assert row == pytest.approx(np.exp([-2, -0.5, 0, -0.5, -2]), abs=UNIT)


def test_a_mean_by_eye():
    assert np.all(kernels.mean(3).values == 1)
    assert kernels.mean(5, "sum").values == pytest.approx(1 / 25, abs=UNIT)


@pytest.mark.parametrize("name", ["psf", "gaussian", "mean"])
@pytest.mark.parametrize("size", kernels.SIZES)
def test_norms(name, size):
    arguments = {"psf": (0.5, 1.4, 0.08), "gaussian": (1,), "mean": ()}[name]
    peak, total = (KERNELS[name](*arguments, size=size, norm=norm) for norm in ("peak", "sum"))
    assert peak.values.max() == 1
    assert total.values.sum() == pytest.approx(1, abs=size**2 * UNIT)
    for kernel in (peak, total):
        assert kernel.values.shape == (size, size)
        assert kernel.radius == size // 2
        assert np.all(kernel.values / UNIT == np.rint(kernel.values / UNIT))
        assert np.array_equal(kernel.values, kernel.values[::-1, ::-1])


def test_what_makes_no_kernel():
    with pytest.raises(UserError, match="size 4; expected one of 1, 3, 5, 7, 9"):
        kernels.gaussian(1, 4)
    with pytest.raises(UserError, match=r"unknown norm 'max'.*peak, sum"):
        kernels.mean(5, "max")
    with pytest.raises(UserError) as caught:
        kernels.psf(0, -1, 0.1)
    assert len(caught.value.messages) == 2
