import numpy as np
import pytest

from kerasseg.data.prepare import Prepared, prepare
from kerasseg.errors import UserError


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


def test_what_fits_is_read_once(gradients, monkeypatch):
    read = []
    plain = type(gradients[0]).read
    monkeypatch.setattr(type(gradients[0]), "read", lambda self: read.append(self.name) or plain(self))
    bytes_each = 32 * 64 * 2  # image and mask
    images = Prepared(gradients, channels=1, normalise="dtype", resize=None, budget=2 * bytes_each)
    for _ in range(3):
        pairs = [images[at] for at in (0, 1, 2)]
    assert read == ["g0", "g1", "g2", "g2", "g2"]
    assert pairs[2][1].sum() == 10 * 20


def test_masks_are_resized_with_their_images(gradients):
    images = Prepared(gradients, channels=3, normalise="dtype", resize=(16, 16))
    image, mask = images[0]
    assert (image.shape, mask.shape) == ((16, 16, 3), (16, 16))
    assert set(np.unique(mask)) == {0, 1}
    assert images.sizes() == [(16, 16)] * 7
