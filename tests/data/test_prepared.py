import numpy as np

from kerasseg.data.prepared import Prepared
from kerasseg.images.normalisation import Dtype


def test_what_fits_is_read_once(gradients, monkeypatch):
    read = []
    plain = type(gradients[0]).read
    monkeypatch.setattr(type(gradients[0]), "read", lambda self: read.append(self.name) or plain(self))
    bytes_each = 32 * 64 * 2  # image and mask
    images = Prepared(gradients, channels=1, normalise=Dtype(), resize=None, budget=2 * bytes_each)
    for _ in range(3):
        pairs = [images[at] for at in (0, 1, 2)]
    assert read == ["g0", "g1", "g2", "g2", "g2"]
    assert pairs[2][1].sum() == 10 * 20


def test_masks_are_resized_with_their_images(gradients):
    images = Prepared(gradients, channels=3, normalise=Dtype(), resize=(16, 16))
    image, mask = images[0]
    assert (image.shape, mask.shape) == ((16, 16, 3), (16, 16))
    assert set(np.unique(mask)) == {0, 1}
    assert images.sizes() == [(16, 16)] * 7
