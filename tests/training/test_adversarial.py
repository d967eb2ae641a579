"""A generator and its judge, against values worked by hand."""

import subprocess
import sys

import contests
import keras
import numpy as np
import pytest
import small
import tensorflow as tf
from components import LOSSES, OPTIMIZERS
from contests import DECISION
from keras import layers

from kerasseg.training import history
from kerasseg.training.adversarial import adversarial, without_ignored

IMAGES = np.array([[[[0.2]], [[0.6]]]], np.float32)  # one image of 2 x 1 pixels
TARGETS = np.array([[[[0]], [[1]]]], np.uint8)
NOISE = np.random.default_rng(0).random((2, *small.SIZE, 1), np.float32)
BRIGHT = (NOISE > 0.5).astype(np.uint8)


def scaled(factor: float, inputs: int = 1) -> keras.Model:
    """Multiply the last input, pixel by pixel, by a factor that is learnt."""
    given = [keras.Input((None, None, 1)) for _ in range(inputs)]
    once = keras.initializers.Constant(factor)
    times = layers.Conv2D(1, 1, use_bias=False, kernel_initializer=once)
    return keras.Model(given if inputs > 1 else given[0], times(given[-1]))


def engine(rate: float = 1.0, discriminator_rate: float = 1.0, weight: float = 5.0) -> keras.Model:
    sgd = OPTIMIZERS["sgd"]
    return adversarial(
        scaled(0.5),
        discriminator=lambda _: scaled(0.8, inputs=2),
        loss=lambda y, p: keras.ops.mean(keras.ops.abs(keras.ops.cast(y, "float32") - p), axis=(1, 2, 3)),
        optimizer=sgd(rate),
        discriminator_optimizer=sgd(discriminator_rate),
        weight=weight,
        **DECISION,
    )


def factors(trained: keras.Model) -> list[float]:
    networks = (*trained.generators, *trained.discriminators)
    return [network.trainable_variables[0].numpy().item() for network in networks]


def test_both_sides_lose_what_the_equations_say():
    made, judged, truth = np.array([0.1, 0.3]), np.array([0.08, 0.24]), np.array([0.0, 0.8])
    logs = engine().train_on_batch(IMAGES, TARGETS, return_dict=True)
    loss = (0.1 + 0.7) / 2
    assert logs["loss"] == pytest.approx(loss)
    assert logs["generator_loss"] == pytest.approx(np.mean((judged - 1) ** 2) + 5 * loss)
    assert logs["discriminator_loss"] == pytest.approx(np.mean((truth - 1) ** 2) + np.mean(judged**2))
    assert np.allclose(0.8 * made, judged)


def test_both_sides_step_along_their_own_gradients_from_the_same_state():
    trained = engine(rate=0.1, discriminator_rate=0.1)
    trained.train_on_batch(IMAGES, TARGETS)
    x, y, made, judged = np.array([0.2, 0.6]), np.array([0, 1]), np.array([0.1, 0.3]), np.array([0.08, 0.24])
    generator = np.mean(2 * (judged - 1) * 0.8 * x) + 5 * np.mean(np.sign(made - y) * x)
    discriminator = np.mean(2 * (0.8 * y - 1) * y) + np.mean(2 * judged * made)
    assert factors(trained) == pytest.approx([0.5 - 0.1 * generator, 0.8 - 0.1 * discriminator])


def test_what_the_generator_says_of_ignored_pixels_teaches_nobody():
    ignored = np.where(np.arange(2).reshape(1, 2, 1, 1) == 1, 255, TARGETS).astype(np.uint8)
    steps = []
    for there in (0.6, 0.9):
        images = IMAGES.copy()
        images[0, 1] = there
        trained = adversarial(
            scaled(0.5),
            discriminator=lambda _: scaled(0.8, inputs=2),
            weight=5.0,
            **DECISION,
            loss=LOSSES["bce"](),
            optimizer=OPTIMIZERS["sgd"](0.1),
            discriminator_optimizer=OPTIMIZERS["sgd"](0.1),
        )
        trained.train_on_batch(images, ignored)
        steps.append(factors(trained))
    assert steps[0] == steps[1] != [0.5, 0.8]


def test_validation_is_the_loss_alone():
    scores = engine().evaluate(IMAGES, TARGETS, verbose=0, return_dict=True)
    assert scores == pytest.approx({"loss": 0.4, "dice": 0.0})


def learnt(networks) -> list[np.ndarray]:
    return [np.asarray(variable) for network in networks for variable in network.trainable_variables]


def same(before: list[np.ndarray], after: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(one, other) for one, other in zip(before, after, strict=True)]


@pytest.mark.parametrize("name", contests.ENGINES)
@pytest.mark.parametrize(("rates", "standing"), [((0.0, 0.1), "generators"), ((0.1, 0.0), "discriminators")])
def test_a_step_of_one_side_leaves_the_other_as_it_is(name, rates, standing):
    engine = contests.ENGINES[name](*rates)
    moving = {"generators", "discriminators"} - {standing}
    before = {side: learnt(getattr(engine, side)) for side in (standing, *moving)}
    engine.train_on_batch(NOISE, BRIGHT)
    after = {side: learnt(getattr(engine, side)) for side in before}
    assert all(same(before[standing], after[standing]))
    for side in moving:
        assert not any(same(before[side], after[side]))


@pytest.mark.parametrize("name", contests.ENGINES)
def test_no_weight_changes_before_all_networks_have_answered(name):
    step = tf.function(contests.ENGINES[name]().train_step).get_concrete_function((NOISE, BRIGHT))
    operations = step.graph.get_operations()
    answers = {each for each in operations if each.type == "Conv2D"}
    changes = [each for each in operations if each.type in ("ResourceApplyAdam", "AssignSubVariableOp")]
    assert answers
    assert changes
    for change in changes:
        assert answers <= all_before(change)


def all_before(operation: tf.Operation) -> set[tf.Operation]:
    """Gather what must be done before an operation begins."""
    found, left = set(), [operation]
    while left:
        each = left.pop()
        new = {*each.control_inputs, *(tensor.op for tensor in each.inputs)} - found
        found |= new
        left += new
    return found


@pytest.mark.parametrize("name", contests.ENGINES)
def test_a_kill_changes_neither_networks_nor_optimisers_nor_history(name, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = contests.ENGINES[name]()
    expected = small.go(unbroken, whole, epochs=4)

    program = subprocess.run(
        [sys.executable, contests.__file__, name, broken], capture_output=True, text=True
    )
    assert program.returncode == 0, program.stderr
    rows = history.read(broken / "history.csv")
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in expected.rows]
    with np.load(broken / "weights.npz") as arrays:
        assert all(same(contests.state(unbroken), list(arrays.values())))


def test_what_is_ignored_is_nowhere_without_ignored():
    target = np.array([1, 0, 255], np.uint8)
    np.testing.assert_array_equal(without_ignored(target, target), [1.0, 0.0, 0.0])
    np.testing.assert_allclose(without_ignored(np.float32([0.25, 0.5, 0.75]), target), [0.25, 0.5, 0.0])
    probabilities = tf.constant([0.25, 0.5, 0.75])
    with tf.GradientTape() as tape:
        tape.watch(probabilities)
        total = tf.reduce_sum(without_ignored(probabilities, target))
    np.testing.assert_array_equal(tape.gradient(total, probabilities), [1.0, 1.0, 0.0])
