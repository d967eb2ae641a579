"""The fused optimisers take the steps of Keras' own."""

import keras
import numpy as np
import pytest
from components import OPTIMIZERS

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
