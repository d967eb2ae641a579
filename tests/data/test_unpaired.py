import numpy as np
import pytest

from kerasseg.data.stream import Stream
from kerasseg.data.unpaired import Unpaired
from kerasseg.errors import UserError


def stream(samples, seed=5, **changes):
    return Stream(samples, **{"classes": ["cell"], "channels": 1, "batch_size": 3, "seed": seed} | changes)


def test_images_of_one_and_masks_of_the_other(gradients):
    images, masks = stream(gradients[:3]), stream(gradients[3:], seed=6)
    unpaired = Unpaired(images, masks)
    assert len(unpaired) == len(images) == 1
    for at in (4, 0):
        shown, learnt = unpaired.batch(at)
        assert np.array_equal(shown, images.batch(at)[0])
        assert np.array_equal(learnt, masks.batch(at)[1])
        assert unpaired.names(at) == images.names(at) + masks.names(at)


def test_the_same_samples_in_another_order_share_what_was_read(gradients):
    images = stream(gradients)
    masks = images.reseeded(6)
    assert masks.images is images.images
    assert [masks.names(at) for at in range(5)] == [stream(gradients, 6).names(at) for at in range(5)]
    assert np.array_equal(masks.batch(2)[1], stream(gradients, 6).batch(2)[1])
    assert images.names(0) == stream(gradients).names(0)
    shown = [images.names(at) != masks.names(at) for at in range(5)]
    assert all(shown)


def test_streams_of_two_shapes_are_refused(gradients):
    with pytest.raises(UserError, match=r"\(32, 32\).*\(32, 64\).*data\.patch"):
        Unpaired(stream(gradients), stream(gradients, patch={"size": 32}))
