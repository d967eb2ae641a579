"""What Keras does not promise and we use is there, in this version of it."""

import configparser
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from packaging.requirements import Requirement

from kerasseg.models.keras_internals import layer_of, moments, random_states, steps, successions


def test_keras_is_a_version_that_was_tried():
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    listed = map(Requirement, config["options"]["install_requires"].split())
    (allowed,) = (requirement.specifier for requirement in listed if requirement.name == "keras")
    assert any(bound.operator == "<" for bound in allowed), "there is no upper bound"
    assert keras.__version__ in allowed


@pytest.fixture
def branched():
    image = keras.Input((4, 4, 1), name="image")
    left = layers.Dropout(0.5, name="left")(image)
    right = layers.Conv2D(1, 1, name="right")(left)
    return keras.Model(image, layers.Add(name="sum")([left, right]))


def test_steps_lead_from_the_answer_to_the_image(branched):
    listed = [(layer.name, [layer_of(x).name for x in inputs]) for layer, inputs, _ in steps(branched)]
    expected = [("sum", ["left", "right"]), ("right", ["left"]), ("left", ["image"]), ("image", [])]
    assert listed == expected
    for layer, _, output in steps(branched):
        assert layer_of(output) is layer


def test_successions_leave_out_what_two_layers_read(branched):
    assert [(before.name, after.name) for before, after in successions(branched)] == [("image", "left")]


def test_adam_keeps_means_of_gradients_and_of_their_squares():
    first, second = keras.Variable([1.0]), keras.Variable([1.0, 2.0])
    adam = keras.optimizers.Adam(beta_1=0.75, beta_2=0.5)
    adam.build([first, second])
    adam.apply([keras.ops.array([4.0]), keras.ops.array([2.0, 8.0])])
    np.testing.assert_allclose(moments(adam, second)[0], [0.5, 2.0])
    np.testing.assert_allclose(moments(adam, second)[1], [2.0, 32.0])


def test_states_that_layers_draw_from_decide_what_they_draw(branched):
    (state,) = random_states(branched)
    image, drawn = np.ones((1, 4, 4, 1), np.float32), []
    for seed in ((1, 2), (1, 2), (3, 4)):
        state.assign(np.array(seed, np.uint32))
        drawn.append(np.asarray(branched(image, training=True)))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
