"""Instance normalisation, residuals and reflection, on arrays small enough to work out by hand."""

import keras
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.models.translation import instance_normalisation, joined, normalised, reflected_convolution


def applied(block, array, *arguments, **how):
    image = keras.Input(array.shape[1:])
    return np.asarray(keras.Model(image, block(image, *arguments, **how))(array))


def test_each_channel_of_each_image_is_normalised_by_itself():
    # 1, 3, 5, 7: mean 4, variance 5; ten times as much plus 100: the same; all alike: nothing
    one = np.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 2)
    images = np.array([[one, 10 * one + 100], [one * 0 + 9, -one]], np.float32).transpose(0, 2, 3, 1)
    seen = applied(instance_normalisation, images, name="norm")
    expected = np.array([-3.0, -1.0, 1.0, 3.0]).reshape(2, 2) / np.sqrt(5 + 1e-5)
    np.testing.assert_allclose(seen[0, ..., 0], expected, rtol=1e-5)
    np.testing.assert_allclose(seen[0, ..., 1], expected, rtol=1e-5)
    np.testing.assert_allclose(seen[1, ..., 0], 0, atol=1e-6)
    np.testing.assert_allclose(seen[1, ..., 1], -expected, rtol=1e-5)


def test_its_epsilon_is_that_of_the_papers():
    """1e-5, beside which a variance of 1e-5 is as much: what is seen is smaller by the root of two."""
    deviation = np.sqrt(1e-5)
    volume = np.array([-deviation, deviation], np.float32).reshape(1, 2, 1, 1, 1)
    seen = applied(instance_normalisation, volume, name="norm")
    np.testing.assert_allclose(seen.ravel(), [-np.sqrt(0.5), np.sqrt(0.5)], rtol=1e-5)


def test_gamma_and_beta_are_learnt_for_each_channel():
    image = keras.Input((None, None, None, 3))
    layer = keras.Model(image, instance_normalisation(image, name="norm")).get_layer("norm")
    assert [weight.shape for weight in layer.trainable_weights] == [(3,), (3,)]


def test_what_a_block_was_given_is_added_or_stands_before_what_it_made():
    given, made = keras.Input((1, 1, 2)), keras.Input((1, 1, 2))
    arrays = [np.array([1.0, 2.0]).reshape(1, 1, 1, 2), np.array([30.0, 40.0]).reshape(1, 1, 1, 2)]
    for residual, expected in {"add": [31, 42], "concatenate": [1, 2, 30, 40]}.items():
        model = keras.Model([given, made], joined(given, made, residual, name="residual0"))
        np.testing.assert_array_equal(np.ravel(model(arrays)), expected)


def test_edges_are_mirrored_without_being_repeated():
    row = np.array([1.0, 2.0, 4.0], np.float32).reshape(1, 1, 3, 1)
    image = keras.Input((3, 3, 1))
    answer = reflected_convolution(image, 1, 3, initializer="he_normal", name="conv")
    model = keras.Model(image, answer)
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 0] = 1  # what is to the left
    model.get_layer("conv").set_weights([kernel, np.zeros(1)])
    seen = np.asarray(model(np.repeat(row, 3, axis=1)))
    np.testing.assert_array_equal(seen[0, :, :, 0], [[2, 1, 2]] * 3)


@pytest.mark.parametrize(
    ("block", "arguments", "message"),
    [
        (normalised, ("instnce",), "did you mean 'instance'"),
        (lambda x, kind, name: joined(x, x, kind, name=name), ("concat",), "choose one of add, concatenate"),
    ],
)
def test_what_is_unknown_is_answered_with_the_choices(block, arguments, message):
    with pytest.raises(UserError, match=message):
        block(keras.Input((4, 4, 1)), *arguments, name="block")
