"""What convolves before it doubles computes what doubles before it convolves."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasseg.models.doubling import DoublingConvolution, doubling, transposed

IMAGE = np.random.default_rng(0).normal(size=(2, 3, 5, 2)).astype("float32")


def doubled_and_convolved(**how) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 2))
    return keras.Model(image, layers.Conv2D(4, **how)(layers.UpSampling2D()(image)))


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


HOW = {
    "plain": {"use_bias": False},
    "biased": {"bias_initializer": "ones"},
    "activated": {"activation": "relu"},
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("replace", [DoublingConvolution, transposed])
def test_it_answers_as_the_model_does(how, replace):
    model = doubled_and_convolved(kernel_size=3, padding="same", **HOW[how])
    sooner = doubling(model, replace)
    assert "UpSampling2D" not in kinds(sooner)
    np.testing.assert_allclose(sooner(IMAGE), model(IMAGE), atol=1e-5)


def test_a_kernel_of_one_tap_repeats_each_pixel():
    model = doubled_and_convolved(kernel_size=3, padding="same", use_bias=False)
    kernel = np.zeros((3, 3, 2, 4), "float32")
    kernel[1, 1, 0, 0] = 1
    model.set_weights([kernel])
    image = np.float32([[1, 2], [3, 4]])[None, ..., None] * [1, 0]
    repeated = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(doubling(model, transposed)(image)[0, ..., 0], repeated)


def test_training_through_it_leaves_the_weights_that_keras_leaves():
    expected, model = (doubled_and_convolved(kernel_size=3, padding="same") for _ in range(2))
    for each in (expected, doubling(model, DoublingConvolution)):
        each.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        for _ in range(3):
            each.train_on_batch(IMAGE, ops.ones((2, 6, 10, 4)))
    for ours, keras_own in zip(model.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, keras_own, atol=1e-5, err_msg=keras_own.path)


@pytest.mark.parametrize(
    "how",
    [
        {"kernel_size": 5, "padding": "same"},
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": "same", "strides": 2},
        {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
        {"kernel_size": 3, "padding": "same", "groups": 2},
    ],
)
def test_other_convolutions_stay_as_they_are(how):
    model = doubled_and_convolved(**how)
    assert kinds(doubling(model, transposed)) == kinds(model)


def test_what_others_read_before_it_is_convolved_stays_as_it_is():
    image = keras.Input((None, None, 2))
    larger = layers.UpSampling2D()(image)
    model = keras.Model(image, [layers.Conv2D(4, 3, padding="same")(larger), larger])
    assert kinds(doubling(model, transposed)) == kinds(model)
