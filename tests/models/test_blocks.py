"""Blocks, on arrays small enough to check by eye."""

import keras
import numpy as np

from kerasseg.models.blocks import attention_gate, head


def test_the_gate_multiplies_each_pixel_by_a_coefficient_of_the_coarser_grid():
    skip, gate = keras.Input((4, 4, 1)), keras.Input((2, 2, 1))
    model = keras.Model([skip, gate], attention_gate(skip, gate, 1, name="gate"))
    for layer in ("gate_skip_conv", "gate_gate_conv", "gate_conv"):
        variables = model.get_layer(layer).weights
        variables[0].assign(np.ones(variables[0].shape))
    skips, gates = np.ones((1, 4, 4, 1), np.float32), np.array([[0.0, 1.0], [2.0, -9.0]]).reshape(1, 2, 2, 1)
    # relu(1 + g) = 1, 2, 3, 0, each through a sigmoid, each for two by two pixels
    coefficients = 1 / (1 + np.exp(-np.array([[1.0, 2.0], [3.0, 0.0]])))
    expected = np.kron(coefficients, np.ones((2, 2)))
    np.testing.assert_allclose(np.asarray(model([skips, gates]))[0, ..., 0], expected, rtol=1e-6)


def test_the_head_names_its_output():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, head(image, 2, "sigmoid"))
    assert model.output_names == ["probabilities"]
    assert model.output.shape == (None, 4, 4, 2)


def test_a_gate_of_few_channels_is_trained():
    skip, gate = keras.Input((None, None, 8)), keras.Input((None, None, 8))
    model = keras.Model([skip, gate], attention_gate(skip, gate, 4, name="gate"))
    model.compile("sgd", "mse")
    images = np.ones((4, 64, 64, 8), np.float32)
    assert np.isfinite(model.train_on_batch([images, images[:, ::2, ::2]], images))
