"""What TensorFlow computes at once is what Keras computes in many operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from components import MODELS, OPTIMIZERS

from kerasseg.training.keras_speedups import FusedBatchNormalization, fused


def small_model(rank: int) -> keras.Model:
    keras.utils.set_random_seed(1)
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[rank]
    image = x = keras.Input((*[None] * rank, 2))
    for _ in range(2):
        x = convolution(4, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.Model(image, x)


def trained(model: keras.Model, steps: int, rank: int) -> keras.Model:
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        images = rng.normal(3, 2, (2, *[6] * rank, 2)).astype("float32")
        model.train_on_batch(images, images.mean(-1, keepdims=True))
    return model


@pytest.mark.parametrize("rank", [2, 3])
def test_training_through_it_leaves_the_weights_that_keras_leaves(rank):
    expected, model = trained(small_model(rank), 5, rank), small_model(rank)
    trained(fused(model), 5, rank)
    for ours, keras_own in zip(model.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-5, err_msg=keras_own.path)


def test_moving_statistics_are_the_mean_of_all_steps_until_momentum_is_slower():
    layer = keras.layers.BatchNormalization(momentum=0.6)
    normalise = FusedBatchNormalization(layer)
    layer.build((None, None, None, 1))
    seen = []
    for values in ([1.0, 3.0], [4.0, 4.0], [6.0, 10.0]):
        normalise(np.reshape(values, (1, 1, 2, 1)).astype("float32"), training=True)
        seen.append((float(layer.moving_mean[0]), float(layer.moving_variance[0])))
    means = [2.0, 3.0, 0.6 * 3.0 + 0.4 * 8.0]
    variances = [1.0, 0.5, 0.6 * 0.5 + 0.4 * 4.0]
    np.testing.assert_allclose(seen, np.transpose([means, variances]), rtol=1e-6)


def test_moving_statistics_that_came_with_weights_are_gone_on_from():
    layer = keras.layers.BatchNormalization(momentum=0.75)
    layer.build((None, None, None, 1))
    layer.set_weights(np.float32([[1], [0], [10], [4]]))  # gamma, beta, mean, variance
    FusedBatchNormalization(layer)(np.reshape([1.0, 3.0], (1, 1, 2, 1)).astype("float32"), training=True)
    np.testing.assert_allclose(layer.moving_mean, [0.75 * 10 + 0.25 * 2], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.75 * 4 + 0.25 * 1], rtol=1e-6)


def test_it_answers_as_the_model_does():
    model = trained(small_model(2), 3, 2)
    image = np.random.default_rng(1).normal(size=(1, 5, 7, 2)).astype("float32")
    np.testing.assert_allclose(fused(model)(image), model(image), atol=1e-5)


@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_a_whole_network_for_volumes_computes_alike(name):
    how = {"unet": {"encoder": "plain", "levels": 2}, "resnet": {"residual_blocks": 1}}[name]
    model = MODELS[name]((None, None, None, 1), 2, base_filters=2, **how)
    volume = np.random.default_rng(1).random((1, 8, 8, 8, 1), np.float32)
    for training in (False, True):
        expected = model(volume, training=training)
        np.testing.assert_allclose(fused(model)(volume, training=training), expected, atol=1e-4)


def test_silu_and_its_gradient_are_those_of_keras():
    image = keras.Input((None,))
    model = keras.Model(image, keras.layers.Activation("silu")(image))
    x = tf.constant([[-30.0, -1.0, 0.0, 2.0, 30.0]])
    for network in (model, fused(model)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            answer = network(x)
        np.testing.assert_allclose(answer, x / (1 + np.exp(-x)), rtol=1e-5)
        np.testing.assert_allclose(tape.gradient(answer, x)[0, 1:4], [0.0723295, 0.5, 1.0907843], rtol=1e-5)


def test_the_model_itself_stays_keras_own():
    model = small_model(2)
    layers = [type(layer) for layer in fused(model).layers]
    assert layers.count(FusedBatchNormalization) == 2
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in model.layers)


def test_a_frozen_layer_keeps_its_statistics():
    model = small_model(2)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    trained(fused(model), 2, 2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            np.testing.assert_array_equal(layer.moving_mean, 0)
            np.testing.assert_array_equal(layer.moving_variance, 1)


def test_half_precision_keeps_statistics_in_full():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_model(2)
    finally:
        keras.config.set_dtype_policy("float32")
    answer = trained(fused(model), 1, 2)(np.ones((1, 4, 4, 2), "float32"))
    assert keras.backend.standardize_dtype(answer.dtype) == "bfloat16"
    assert {variable.dtype for variable in model.variables} == {"float32"}


KERAS = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}


def weights_after(optimizer: keras.optimizers.Optimizer) -> np.ndarray:
    """Ten steps from the same weights along the same gradients."""
    rng = np.random.default_rng(0)
    variable = keras.Variable(rng.normal(size=(3, 4)).astype(np.float32))
    optimizer.build([variable])
    for _ in range(10):
        optimizer.apply([rng.normal(size=(3, 4)).astype(np.float32)], [variable])
    return np.asarray(variable)


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.parametrize("arguments", [{}, {"learning_rate": 0.1, "beta_1": 0.8, "clipnorm": 0.5}])
def test_ten_steps_are_those_of_keras(name, arguments):
    expected = weights_after(KERAS[name](**arguments))
    # Rounding 1 - 0.999 to float32 or before it changes a step by 2e-5 of itself.
    np.testing.assert_allclose(weights_after(OPTIMIZERS[name](**arguments)), expected, atol=1e-5)


def test_the_arguments_survive_a_copy():
    adam = OPTIMIZERS["adam"](learning_rate=0.1, clipnorm=0.5)
    assert type(adam).from_config(adam.get_config()).get_config() == adam.get_config()
