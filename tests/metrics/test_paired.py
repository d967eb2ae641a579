"""Scores of two models on the same images."""

import math

import numpy as np
import pytest

from kerasseg.metrics.paired import FEWEST, difference

TEN = np.linspace(0.5, 0.9, 10)


def test_one_that_wins_on_all_images_is_better():
    found = difference(TEN + 0.1, TEN)
    assert (found.images, found.better, found.worse, found.verdict) == (10, 10, 0, "better")
    assert found.mean == pytest.approx(0.1)
    assert found.interval == pytest.approx((0.1, 0.1))
    assert found.p_value == pytest.approx(2 / 2**10)  # the exact test: all signs alike, one way or the other


def test_which_one_is_the_reference_only_changes_the_sign():
    one, other = difference(TEN, TEN[::-1]), difference(TEN[::-1], TEN)
    assert (one.better, one.worse) == (other.worse, other.better)
    assert one.p_value == pytest.approx(other.p_value)
    assert difference(TEN - 0.1, TEN).verdict == "worse"


def test_gains_and_losses_of_one_size_are_chance():
    gains = np.array([0.1, -0.1] * 5)
    found = difference(TEN + gains, TEN)
    assert found.verdict == "chance would explain it"
    assert found.p_value == pytest.approx(1.0)
    assert found.interval[0] < 0 < found.interval[1]


def test_equal_scores_do_not_differ():
    found = difference(TEN, TEN)
    assert (found.better, found.worse, found.mean, found.p_value) == (0, 0, 0, 1)


def test_of_too_few_images_nothing_is_said_but_the_mean():
    found = difference(TEN[: FEWEST - 1] + 0.1, TEN[: FEWEST - 1])
    assert (found.interval, found.p_value) == (None, None)
    assert found.mean == pytest.approx(0.1)
    assert found.verdict == "too few images to tell: 5 of at least 6"


def test_images_without_a_score_do_not_count():
    scores = np.array([math.nan, *TEN[1:]])
    assert difference(scores + 0.1, TEN).images == 9
    assert math.isnan(difference([math.nan], [0.5]).mean)


def test_five_per_cent_of_equal_models_are_called_different():
    generator = np.random.default_rng(3)
    verdicts = [difference(generator.normal(size=12), np.zeros(12)).p_value < 0.05 for _ in range(200)]
    assert 2 <= sum(verdicts) <= 20
