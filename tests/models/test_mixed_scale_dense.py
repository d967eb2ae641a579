"""One layer computes what the same network computes layer by layer, and so does its gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseg.models.mixed_scale_dense import MAPS_PER_BLOCK, MixedScaleDense
from kerasseg.models.msdnet import layer_by_layer, mixed_dilations

CLASSES = 3
DEPTH = MAPS_PER_BLOCK + 2
CYCLE = (1, 2, 3, 4)
CASES = {  # shape of a batch, width, padding, dilations
    "zeros": ((1, 40, 50, 2), 1, "zeros", CYCLE),
    "mirrored": ((1, 18, 48, 1), 1, "reflect", CYCLE),
    "mirrored with the outermost pixel": ((2, 17, 33, 2), 1, "symmetric", CYCLE),
    "as narrow as a mirror allows": ((2, 5, 5, 1), 1, "reflect", CYCLE),
    "wide": ((3, 12, 21, 2), 3, "reflect", CYCLE),
    "wider than a block": ((1, 12, 21, 2), 9, "zeros", CYCLE),
    "volumes": ((2, 7, 9, 11, 1), 1, "reflect", CYCLE),
    "of powers of two": ((1, 20, 23, 2), 1, "reflect", (8, 4, 2, 1)),
    "of one dilation": ((2, 12, 9, 1), 2, "symmetric", (3,)),
    "out of order in volumes": ((1, 8, 7, 9, 1), 1, "zeros", (5, 1)),
    "wide in volumes": ((1, 9, 6, 20, 2), 2, "symmetric", CYCLE),
}


def weights_of(layer, rng):
    return [rng.normal(0, 0.1, weight.shape).astype(np.float32) for weight in layer.weights]


def split(weights, width):
    """Kernels and biases of a layer, one map after the other, as `layer_by_layer` has them."""
    *layers, head, bias = weights
    singly = [
        weight[..., n : n + 1]
        for first in range(0, len(layers), 2)
        for n in range(width)
        for weight in layers[first : first + 2]
    ]
    return [*singly, head, bias]


def answer_and_gradients(function, variables, images, truth):
    """Logits, and the gradients of a loss; traced, as TensorFlow has no eager one of dilations in 3-D."""

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = function(images)
            loss = tf.reduce_mean(tf.square(logits - truth))
        return logits, tape.gradient(loss, [images, *variables])

    logits, (of_images, *gradients) = compute()
    return logits.numpy(), of_images.numpy(), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("case", CASES)
def test_answers_and_gradients_are_those_of_the_network_written_out(case):
    shape, width, padding, cycle = CASES[case]
    rng = np.random.default_rng(0)
    dilations = mixed_dilations(DEPTH, cycle, width)
    layer = MixedScaleDense(CLASSES, dilations, padding)
    layer.build(shape)
    layer.set_weights(weights_of(layer, rng))
    image = keras.Input(shape[1:])
    judge = keras.Model(image, layer_by_layer(image, CLASSES, dilations, padding))
    judge.set_weights(split(layer.get_weights(), width))

    images = tf.constant(rng.random(shape, np.float32))
    truth = tf.constant(rng.normal(size=(*shape[:-1], CLASSES)).astype(np.float32))
    logits, of_images, gradients = answer_and_gradients(layer, layer.trainable_weights, images, truth)
    expected = answer_and_gradients(judge, judge.trainable_weights, images, truth)
    np.testing.assert_allclose(logits, expected[0], atol=1e-6)
    np.testing.assert_allclose(of_images, expected[1], atol=1e-6)
    for found, gradient in zip(split(gradients, width), expected[2], strict=True):
        np.testing.assert_allclose(found, gradient, atol=1e-6)


def test_kernels_are_stored_layer_by_layer():
    layer = MixedScaleDense(4, mixed_dilations(3, range(1, 11), 2))
    layer.build((None, None, None, 1))
    assert [weight.shape for weight in layer.weights] == [
        *((3, 3, 1, 2), (2,)),
        *((3, 3, 3, 2), (2,)),
        *((3, 3, 5, 2), (2,)),
        *((1, 1, 7, 4), (4,)),
    ]


def small_model():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, MixedScaleDense(2, mixed_dilations(5, CYCLE, 1))(image))
    model.set_weights(weights_of(model, np.random.default_rng(0)))
    return model


def test_it_is_loaded_in_safe_mode(tmp_path):
    model = small_model()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    image = np.random.default_rng(0).random((2, 9, 14, 1), np.float32)
    np.testing.assert_array_equal(loaded(image), model(image))
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


def test_a_saved_model_takes_images_of_any_size(tmp_path):
    model = small_model()
    model.export(tmp_path / "export", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "export"))
    for size in ((1, 9, 14, 1), (3, 30, 5, 1)):
        images = np.random.default_rng(0).random(size, np.float32)
        np.testing.assert_allclose(exported.serve(images), model(images), atol=1e-6)


def test_it_computes_and_trains_in_half_precision():
    image = np.random.default_rng(0).random((1, 12, 16, 1), np.float32)
    exact = MixedScaleDense(2, mixed_dilations(3, CYCLE, 1))
    half = MixedScaleDense(2, mixed_dilations(3, CYCLE, 1), dtype="mixed_bfloat16")
    for layer in (exact, half):
        layer.build(image.shape)
    half.set_weights(weights_of(exact, np.random.default_rng(0)))
    exact.set_weights(half.get_weights())
    with tf.GradientTape() as tape:
        logits = half(image)
        loss = tf.reduce_sum(tf.cast(logits, tf.float32))
    assert logits.dtype == "bfloat16"
    np.testing.assert_allclose(tf.cast(logits, tf.float32), exact(image), atol=0.05)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, half.trainable_weights))
