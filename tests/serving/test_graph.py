"""TensorFlow's operations against their namesakes in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from specs import spec

from kerasseg.images.histogram_matching import Matching, counts
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.images.padding import cut
from kerasseg.images.preprocessing import normalise, resize, with_channels
from kerasseg.serving import graph

rng = np.random.default_rng(0)


def stored(dtype, shape):
    noise = rng.random(shape, np.float32)
    return noise if dtype is np.float32 else (noise * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(), Percentile(5, 98)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (23, 31), (3, 5, 4)])
def test_normalise_scales_each_image_by_itself(method, dtype, size):
    images = stored(dtype, (2, *size, 3))
    images[1, ..., 2] = images[1, ..., 2].flat[0]  # one channel is constant
    found = graph.normalise(tf.cast(images, tf.float32), method, tf.as_dtype(dtype))
    for one, image in zip(found, images, strict=True):
        np.testing.assert_allclose(one, normalise(image, method), atol=1e-6)


@pytest.mark.parametrize("leave_out", [(), (0, 77)])
@pytest.mark.parametrize("reference", [np.uint8, np.uint16])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (23, 31), (3, 5, 4)])
def test_match_matches_each_image_by_itself(size, dtype, reference, leave_out):
    images = stored(dtype, (2, *size, 3))
    images[1, ..., 2] = images[1, ..., 2].flat[0]  # one channel is constant
    images[0, ..., 1] = 77  # and another is left out
    model = stored(reference, (9, 11, 3))
    model[..., 0] = 5
    wanted = Matching.to(counts(lambda: [model], leave_out), reference, leave_out)
    found = graph.match(tf.cast(images, tf.float32), wanted, tf.as_dtype(dtype))
    for one, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(one, wanted.image(image))


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_normalise_refuses_what_numpy_s_refuses(value):
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph.normalise(tf.fill((1, 2, 2, 1), value), Dtype(), tf.float32)


@pytest.mark.parametrize("size", [(5, 7), (2, 3, 4)])
@pytest.mark.parametrize(("has", "wanted"), [(1, 3), (3, 1), (3, 3), (4, 3), (4, 1), (2, 1), (4, 4)])
def test_channels_turn_into_those_wanted(has, wanted, size):
    image = stored(np.uint8, (*size, has))
    if has in (2, 4):
        image[..., -1] = 255
    found = graph.with_channels(tf.cast(image[None], tf.float32), wanted, whole_numbers=True)
    np.testing.assert_array_equal(found[0], with_channels(image, wanted))


def test_channels_that_would_be_guessed_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="takes 3 channels"):
        graph.with_channels(tf.random.uniform((1, 4, 4, 5)), 3, whole_numbers=False)


@pytest.mark.parametrize("size", [(20, 30), (64, 96), (20, 96), (41, 53), (41, 20)])
def test_resize_is_opencv_s(size):
    image = stored(np.float32, (41, 53, 2))
    np.testing.assert_allclose(graph.resize(image[None], size)[0], resize(image, size), atol=2e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 33), (32, 64), (17, 70), (1, 3, 17), (4, 16, 9)])
def test_pad_reflects_as_tiles_do_and_crop_takes_it_back(size):
    image, stride = stored(np.float32, (*size, 2)), (8, 32, 16)[-len(size) :]
    padded = graph.pad(image[None], stride)
    multiples = [-(-length // number) * number for length, number in zip(size, stride, strict=True)]
    expected = cut(image, tuple(slice(0, length) for length in multiples))
    np.testing.assert_array_equal(padded[0], expected)
    np.testing.assert_array_equal(graph.crop(padded, size)[0], image)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("channels", [1, 3])
def test_mask_decides_alike(activation, channels):
    probabilities = stored(np.float32, (9, 11, channels))
    model = spec(threshold=0.6, activation=activation, classes=tuple("abc"[:channels]))
    np.testing.assert_array_equal(graph.decide(probabilities[None], model)[0], model.decide(probabilities))


def test_classes_that_do_not_exclude_each_other_are_decided_one_by_one():
    probabilities = np.array([[[0.1, 0.9], [0.6, 0.7]], [[0.2, 0.3], [0.6, 0.1]]], np.float32)
    found = graph.decide(probabilities[None], spec(threshold=0.6, multilabel=True))
    assert found.dtype == tf.uint8
    np.testing.assert_array_equal(found[0], [[[0, 1], [1, 1]], [[0, 0], [1, 0]]])
