import numpy as np
import pytest

from kerasseg.data.stream import Fixed, Stream
from kerasseg.data.unpaired import Unpaired

tf = pytest.importorskip("tensorflow")

from kerasseg.data.pipeline import dataset  # noqa: E402


@pytest.fixture
def stream(gradients):
    augment = [{"HorizontalFlip": {}}, {"Affine": {"scale": [0.8, 1.0]}}]
    return Stream(gradients, classes=["cell"], channels=3, batch_size=2, seed=1, augment=augment)


def test_batches_come_in_order_and_as_they_are(stream):
    taken = list(dataset(stream, start=3, stop=9).as_numpy_iterator())
    assert len(taken) == 6
    for at, (images, targets) in enumerate(taken, start=3):
        assert np.array_equal(images, stream.batch(at)[0])
        assert np.array_equal(targets, stream.batch(at)[1])


def test_shapes_are_known_to_the_graph(stream):
    images, targets = dataset(stream).element_spec
    assert images == tf.TensorSpec((2, 32, 64, 3), tf.float32)
    assert targets == tf.TensorSpec((2, 32, 64, 1), tf.uint8)


def test_a_fixed_stream_ends(gradients):
    batches = Fixed(gradients, classes=["cell"], channels=1, batch_size=4)
    assert [len(images) for images, _ in dataset(batches)] == [4, 3]
    assert dataset(batches).element_spec[0].shape.as_list() == [None, 32, 64, 1]


def test_a_stream_does_not(stream):
    assert len(list(dataset(stream).take(20))) == 20


def test_volumes_and_masks_of_others_come_as_they_are(make_volume):
    samples = [make_volume(name, (16, 32, 32), overlapping=True) for name in ("a", "bb")]
    images = Stream(samples, classes=["golgi", "pair"], channels=2, batch_size=1, seed=1)
    unpaired = Unpaired(images, images.reseeded(2))
    batches = dataset(unpaired)
    assert batches.element_spec[0] == tf.TensorSpec((1, 32, 32, 32, 2), tf.float32)
    assert batches.element_spec[1] == tf.TensorSpec((1, 32, 32, 32, 2), tf.uint8)
    for at, taken in enumerate(batches.take(3).as_numpy_iterator()):
        assert all(np.array_equal(one, other) for one, other in zip(taken, unpaired.batch(at), strict=True))
