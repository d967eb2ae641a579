import numpy as np
import pytest

from kerasseg.data.batches import TrainingBatches, UnpairedBatches, ValidationBatches
from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing

tf = pytest.importorskip("tensorflow")

from kerasseg.data.pipeline import Feed  # noqa: E402


def common(classes, channels, batch_size):
    return {
        "class_ids": range(1, len(classes) + 1),
        "preprocessing": Preprocessing(channels, Dtype(), None),
        "patch": None,
        "batch_size": batch_size,
        "multiple_of": 32,
    }


@pytest.fixture
def stream(gradients):
    augment = [{"HorizontalFlip": {}}, {"Affine": {"scale": [0.8, 1.0]}}]
    return TrainingBatches(gradients, **common(["cell"], 3, 2), seed=1, augment=augment)


def test_batches_come_in_order_and_as_they_are(stream):
    taken = list(Feed(stream).dataset(start=3, stop=9).as_numpy_iterator())
    assert len(taken) == 6
    for at, (images, targets) in enumerate(taken, start=3):
        assert np.array_equal(images, stream.batch(at)[0])
        assert np.array_equal(targets, stream.batch(at)[1])


def test_shapes_are_known_to_the_graph(stream):
    images, targets = Feed(stream).dataset().element_spec
    assert images == tf.TensorSpec((2, 32, 64, 3), tf.float32)
    assert targets == tf.TensorSpec((2, 32, 64, 1), tf.uint8)


def test_a_fixed_stream_ends(gradients):
    batches = ValidationBatches(gradients, **common(["cell"], 1, 4))
    assert [len(images) for images, _ in Feed(batches).dataset()] == [4, 3]
    assert Feed(batches).dataset().element_spec[0].shape.as_list() == [None, 32, 64, 1]


def test_a_stream_does_not(stream):
    assert len(list(Feed(stream).dataset().take(20))) == 20


def test_volumes_and_masks_of_others_come_as_they_are(make_volume):
    samples = [make_volume(name, (16, 32, 32), overlapping=True) for name in ("a", "bb")]
    images = TrainingBatches(samples, **common(["golgi", "pair"], 2, 1), seed=1, augment=())
    unpaired = UnpairedBatches(images, images.with_seed(2))
    batches = Feed(unpaired).dataset()
    assert batches.element_spec[0] == tf.TensorSpec((1, 32, 32, 32, 2), tf.float32)
    assert batches.element_spec[1] == tf.TensorSpec((1, 32, 32, 32, 2), tf.uint8)
    for at, taken in enumerate(batches.take(3).as_numpy_iterator()):
        assert all(np.array_equal(one, other) for one, other in zip(taken, unpaired.batch(at), strict=True))


def test_a_mistake_is_kept_and_its_batch_is_zeros(stream, monkeypatch):
    right = stream.batch

    def batch(index):
        if index == 1:
            raise UserError("b.png: it is damaged")
        return right(index)

    monkeypatch.setattr(stream, "batch", batch)
    with Feed(stream) as feed:
        first, second, third = feed.dataset(stop=3).as_numpy_iterator()
    assert np.array_equal(first[0], right(0)[0])
    assert not second[0].any()
    assert np.array_equal(third[0], right(2)[0])
    assert str(feed.mistake) == "b.png: it is damaged"


def test_a_closed_feed_makes_no_more_batches(stream, monkeypatch):
    made = []
    right = stream.batch
    monkeypatch.setattr(stream, "batch", lambda index: made.append(index) or right(index))
    with Feed(stream) as feed:
        batches = iter(feed.dataset())
        next(batches)
    count = len(made)
    assert not np.asarray([images for images, _ in (next(batches) for _ in range(count + 8))][-1]).any()
    assert len(made) == count
