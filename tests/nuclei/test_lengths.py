"""Lengths are read in pixels and in units."""

import pytest

from kerasseg.errors import UserError
from kerasseg.nuclei.lengths import in_micrometres, in_pixels


@pytest.mark.parametrize(
    ("typed", "pixels"),
    [("134", 134), ("134px", 134), ("536nm", 134), ("0.536 um", 134), (".536µm", 134), ("5.36e", None)],
)
def test_lengths_are_pixels(typed, pixels):
    if pixels is None:
        with pytest.raises(UserError, match=r"--diameter 5\.36e: e unit of length is known"):
            in_pixels("--diameter", typed, 0.004)
    else:
        assert in_pixels("--diameter", typed, 0.004) == pytest.approx(pixels)


@pytest.mark.parametrize("typed", ["0", "-5", "nm", "wide", "5 5"])
def test_what_is_no_length_is_refused(typed):
    with pytest.raises(UserError, match=r"--diameter .*: expected a length above 0"):
        in_pixels("--diameter", typed, None)


def test_units_need_the_size_of_a_pixel():
    with pytest.raises(UserError, match="does not say how large a pixel is; give --pixel-size"):
        in_pixels("--diameter", "536nm", None)


def test_the_size_of_a_pixel_needs_a_unit():
    assert in_micrometres("--pixel-size", "4nm") == pytest.approx(0.004)
    with pytest.raises(UserError, match="--pixel-size 4: no unit of length is known; expected such as 4nm"):
        in_micrometres("--pixel-size", "4")
