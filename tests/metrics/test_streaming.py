"""Dice over an epoch, against the counts of `kerasseg.metrics.pixel`."""

import numpy as np
import pytest

from kerasseg.metrics import pixel
from kerasseg.metrics.streaming import Dice


def one_hot(mask: np.ndarray, ids: range) -> np.ndarray:
    target = (mask[..., None] == np.array(ids)).astype(np.uint8)
    target[mask == pixel.IGNORE] = pixel.IGNORE
    return target


def test_one_class_by_hand():
    target = np.array([1, 1, 0, 0, 255], np.uint8).reshape(1, 1, 5, 1)
    guess = np.array([0.9, 0.1, 0.5, 0.4, 0.9], np.float32).reshape(1, 1, 5, 1)
    dice = Dice(1)
    dice.update_state(target, guess)
    assert float(dice.result()) == pytest.approx(2 * 1 / (2 + 2))


def test_a_class_that_nobody_marked_has_no_part_in_it():
    target, guess = np.zeros((1, 2, 2, 2), np.uint8), np.zeros((1, 2, 2, 2), np.float32)
    dice = Dice(2)
    dice.update_state(target, guess)
    assert float(dice.result()) == 0.0
    target[..., 1] = guess[..., 1] = 1
    dice.update_state(target, guess)
    assert float(dice.result()) == 1.0


def test_the_threshold_decides():
    target, guess = np.ones((1, 2, 2, 1), np.uint8), np.full((1, 2, 2, 1), 0.3, np.float32)
    scores = []
    for threshold in (0.2, 0.4):
        dice = Dice(1, threshold=threshold)
        dice.update_state(target, guess)
        scores.append(float(dice.result()))
    assert scores == [1.0, 0.0]


def test_batches_are_pooled_and_softmax_equals_the_counts_of_masks():
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 1, 2, 255], (6, 8, 8)).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(3), (6, 8, 8)).astype(np.float32)
    dice = Dice(3, activation="softmax")
    for part in (slice(0, 4), slice(4, 6)):
        dice.update_state(one_hot(masks[part], range(3)), probabilities[part])
    counts = pixel.count(masks, probabilities.argmax(-1), 2)
    assert float(dice.result()) == pytest.approx(np.mean(pixel.dice(counts)))


def test_a_new_epoch_begins_at_nothing():
    dice = Dice(1)
    dice.update_state(np.ones((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2, 1), np.float32))
    dice.reset_state()
    dice.update_state(np.ones((1, 2, 2, 1), np.uint8), np.ones((1, 2, 2, 1), np.float32))
    assert float(dice.result()) == 1.0


def test_channels_behind_the_classes_are_not_counted():
    metric = Dice(1)
    metric.update_state(np.array([[[1, 0], [0, 254]]]), np.array([[[0.9, 0.9], [0.2, 0.9]]]))
    assert float(metric.result()) == 1
