"""Two sides that learn from each other: what each loses, what each changes, and what a kill costs them."""

import subprocess
import sys

import contests
import numpy as np
import pytest
import small
import tensorflow as tf

from kerasseg.training import history
from kerasseg.training.contest import seen

IMAGES = np.random.default_rng(0).random((2, *small.SIZE, 1), np.float32)
TARGETS = (IMAGES > 0.5).astype(np.uint8)


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
    engine.train_on_batch(IMAGES, TARGETS)
    after = {side: learnt(getattr(engine, side)) for side in before}
    assert all(same(before[standing], after[standing]))
    for side in moving:
        assert not any(same(before[side], after[side]))


@pytest.mark.parametrize("name", contests.ENGINES)
def test_no_weight_changes_before_all_networks_have_answered(name):
    step = tf.function(contests.ENGINES[name]().train_step).get_concrete_function((IMAGES, TARGETS))
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


def test_what_is_ignored_is_nowhere_seen():
    target = np.array([1, 0, 255], np.uint8)
    np.testing.assert_array_equal(seen(target, target), [1.0, 0.0, 0.0])
    np.testing.assert_allclose(seen(np.float32([0.25, 0.5, 0.75]), target), [0.25, 0.5, 0.0])
    probabilities = tf.constant([0.25, 0.5, 0.75])
    with tf.GradientTape() as tape:
        tape.watch(probabilities)
        total = tf.reduce_sum(seen(probabilities, target))
    np.testing.assert_array_equal(tape.gradient(total, probabilities), [1.0, 1.0, 0.0])
