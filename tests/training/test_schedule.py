"""Schedules against the Keras callbacks whose words they keep."""

from types import SimpleNamespace

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.training import schedule

# Sixteenths differ by far more than `MIN_DELTA` or not at all: float32 and float64 compare them alike.
LOSSES = st.lists(st.integers(1, 24).map(lambda n: n / 16), max_size=16)


@settings(deadline=None)
@given(LOSSES, st.integers(1, 4), st.sampled_from([0.5, 0.25]), st.sampled_from([0.0, 0.125]))
def test_learning_rate_is_that_of_reduce_lr_on_plateau(losses, patience, factor, minimum):
    judge = keras.callbacks.ReduceLROnPlateau(patience=patience, factor=factor, min_lr=minimum)
    judge.set_model(SimpleNamespace(optimizer=keras.optimizers.SGD(1.0)))
    judge.on_train_begin()
    for epoch, loss in enumerate(losses):
        judge.on_epoch_end(epoch, {"val_loss": loss})
        rate = schedule.plateau(
            losses[: epoch + 1], 1.0, 50, patience=patience, factor=factor, minimum=minimum
        )
        assert rate == pytest.approx(float(judge.model.optimizer.learning_rate))


@pytest.mark.parametrize(("minimum", "peak"), [(0.0, 1.0), (0.25, 2.0)])
def test_the_cosine_is_that_of_keras_after_rising_in_equal_steps(minimum, peak):
    judge = keras.optimizers.schedules.CosineDecay(peak, decay_steps=8, alpha=minimum / peak)
    rates = [schedule.cosine([0.5] * epoch, peak, 11, warmup=3, minimum=minimum) for epoch in range(11)]
    assert rates[:3] == pytest.approx([peak / 4, peak / 2, peak * 3 / 4])
    assert rates[3:] == pytest.approx([float(judge(step)) for step in range(8)], abs=1e-6)


def test_steps_are_those_of_keras_at_shares_of_the_epochs():
    judge = keras.optimizers.schedules.PiecewiseConstantDecay([5, 8], [0.1, 0.01, 0.001])
    rates = [schedule.step([0.5] * epoch, 0.1, 10, milestones=(0.5, 0.8), factor=0.1) for epoch in range(10)]
    # Keras' boundary is the last epoch of the old rate, and ours the number of epochs before it falls.
    assert rates == pytest.approx([float(judge(epoch + 1)) for epoch in range(10)])
    assert rates == pytest.approx([0.1] * 5 + [0.01] * 3 + [0.001] * 2)


@settings(deadline=None)
@given(LOSSES, st.integers(1, 4), st.integers(0, 6))
def test_stop_is_that_of_early_stopping(losses, patience, start):
    judge = keras.callbacks.EarlyStopping(patience=patience, start_from_epoch=start)
    judge.set_model(SimpleNamespace(stop_training=False))
    judge.on_train_begin()
    for epoch, loss in enumerate(losses):
        judge.on_epoch_end(epoch, {"val_loss": loss})
        seen = schedule.stop(losses[: epoch + 1], patience=patience, start_from_epoch=start)
        assert seen == judge.model.stop_training


def test_nothing_happens_before_the_first_epoch():
    assert schedule.plateau([], 0.1, 50, patience=2, factor=0.5, minimum=0.0) == 0.1
    assert schedule.cosine([], 0.1, 50, warmup=0, minimum=0.0) == 0.1
    assert not schedule.stop([], patience=3, start_from_epoch=0)


def test_a_loss_that_is_no_number_is_no_improvement():
    assert schedule.stop([1.0, float("nan"), float("nan")], patience=2, start_from_epoch=0)
    assert (
        schedule.plateau([1.0, float("nan"), float("nan")], 1.0, 50, patience=2, factor=0.5, minimum=0.0)
        == 0.5
    )
