import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.prepare import prepare


def test_eight_bits_stay_eight_bits():
    image = prepare(np.full((4, 4, 1), 7, np.uint8), channels=3, method="dtype", size=(2, 2), name="a.png")
    assert (image.shape, image.dtype, image[0, 0, 0]) == ((2, 2, 3), np.uint8, 7)


@pytest.mark.parametrize("method", ["dtype", "minmax", "percentile"])
def test_all_else_becomes_float(method):
    stored = np.arange(16, dtype=np.uint16).reshape(4, 4, 1) * 4369
    image = prepare(stored, channels=None, method=method, size=None, name="a.tif")
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)


def test_a_message_names_the_file():
    with pytest.raises(UserError, match=r"a\.tif: float intensities"):
        prepare(np.full((2, 2, 1), 3, np.float32), channels=None, method="dtype", size=None, name="a.tif")
