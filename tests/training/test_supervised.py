"""A small training from its first epoch to what it leaves behind."""

import signal

import keras
import numpy as np
import pytest
import small
import tensorflow as tf
from components import LOSSES

from kerasseg.data.batches import TrainingBatches, ValidationBatches
from kerasseg.errors import UserError
from kerasseg.metrics.streaming import Dice
from kerasseg.training import history, schedule
from kerasseg.training.callbacks import Progress, TrainingDiverged


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training of four epochs: where it is, its model and its history."""
    directory, model = tmp_path_factory.mktemp("run"), small.model()
    return directory, model, small.learn(directory, trained=model, epochs=4)


def test_it_learns_and_says_so_in_every_row(run):
    _, _, result = run
    assert [row["epoch"] for row in result.rows] == [1, 2, 3, 4]
    assert result.rows[-1]["loss"] < result.rows[0]["loss"]
    assert result.stopped == "epochs"


def test_the_history_is_on_disk(run):
    directory, _, result = run
    assert history.read(directory / "history.csv") == result.rows


def test_tensorboard_reads_what_it_left_for_it(run):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    directory, _, result = run
    events = accumulator.EventAccumulator(str(directory / "tensorboard" / "validation"))
    events.Reload()
    losses = [tf.make_ndarray(event.tensor_proto) for event in events.Tensors("epoch_loss")]
    np.testing.assert_allclose(losses, [row["val_loss"] for row in result.rows], rtol=1e-6)


def test_the_model_keeps_the_weights_of_the_best_epoch(run):
    directory, model, result = run
    validation = ValidationBatches(small.samples(directory / "data")[:3], **small.ARGUMENTS)
    images, targets = (np.concatenate(parts) for parts in zip(*map(validation.batch, range(2)), strict=True))
    guess = model(images, training=False)
    assert np.mean(LOSSES["combo"]()(targets, guess)) == pytest.approx(result.best["val_loss"], rel=1e-5)
    dice = Dice(1)
    dice.update_state(targets, guess)
    assert float(dice.result()) == pytest.approx(result.best["val_dice"], rel=1e-5)


def test_the_models_file_holds_nothing_of_the_training(run, tmp_path):
    _, model, _ = run
    model.save(tmp_path / "model.keras")
    assert not keras.models.load_model(tmp_path / "model.keras").compiled


def test_a_directory_with_checkpoints_is_not_trained_over(run):
    directory, _, _ = run
    with pytest.raises(UserError, match="resume it"):
        small.learn(directory, trained=small.model())


def test_a_finished_training_that_is_resumed_has_nothing_to_do(run):
    directory, model, result = run
    again = small.model()
    assert small.learn(directory, trained=again, resume=True, epochs=4) == result
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_patience_ends_it(tmp_path):
    patience = {"patience": 1, "start_from_epoch": 2}
    result = small.learn(
        tmp_path,
        trained=small.model(),
        optimizer=keras.optimizers.SGD(0.0),
        early_stopping=patience,
        epochs=20,
    )
    losses = [row["val_loss"] for row in result.rows]
    assert result.stopped == "early stopping"
    assert schedule.stop(losses, **patience)
    assert not schedule.stop(losses[:-1], **patience)


def test_divergence_names_epoch_step_and_files_and_keeps_the_best_epoch(tmp_path, capsys):
    class Broken(TrainingBatches):
        def batch(self, index):
            images, targets = super().batch(index)
            return (images * np.nan if index == small.STEPS + 1 else images), targets

    broken = Broken(small.samples(tmp_path / "data"), seed=3, augment=(), **small.ARGUMENTS)
    result = small.learn(tmp_path, trained=(model := small.model()), training=broken)
    said = capsys.readouterr().out
    assert "epoch 2, step 2" in said
    assert ", ".join(broken.names(small.STEPS + 1)) in said
    assert "The training diverged in epoch 2" in said
    assert (result.stopped, result.best["epoch"], len(result.rows)) == ("divergence", 1, 1)
    assert history.read(tmp_path / "history.csv") == result.rows
    assert all(np.isfinite(weights).all() for weights in model.get_weights())  # those of the first epoch


def test_divergence_in_the_first_epoch_leaves_nothing(tmp_path):
    far = keras.optimizers.SGD(1e30)
    with pytest.raises(TrainingDiverged, match=r"epoch 1, step \d"):
        small.learn(tmp_path, trained=small.model(), optimizer=far)


def test_the_weights_that_are_kept_are_those_of_the_best_epoch(tmp_path):
    """A rate at which each epoch is worse than the one before: what comes back is the first epoch's."""
    after = {}

    class Copy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["val_loss"] = [0.9, 0.5, 0.7, 0.8][epoch]
            after[epoch] = [weights.copy() for weights in model.get_weights()]

    model = small.model()
    small.learn(tmp_path, trained=model, epochs=4, watching=[Copy()])
    for kept, best, last in zip(model.get_weights(), after[1], after[3], strict=True):
        np.testing.assert_array_equal(kept, best)
        assert kept.size == 1 or not np.array_equal(kept, last)


@pytest.fixture
def _hearing_ctrl_c():
    """Hear it also where the shell began the tests in the background, and had them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hearing_ctrl_c")
def test_a_mistake_in_a_file_comes_out_as_itself(tmp_path):
    """Files that go while the training reads them: one message, and no wall of TensorFlow's."""
    model = small.model()
    stream = small.flipped(tmp_path / "data")
    held_out = ValidationBatches(stream.samples[:3], **small.ARGUMENTS)
    (tmp_path / "data" / "4.png").unlink()
    with pytest.raises(UserError, match=r"4\.png: there is no such file"):
        small.learn(tmp_path, trained=model, epochs=4, training=stream, validation=held_out)


@pytest.mark.usefixtures("_hearing_ctrl_c")
def test_ctrl_c_ends_it_with_the_epochs_that_were_completed(tmp_path, monkeypatch):
    def interrupt(self, batch, logs=None):
        if self.title == "epoch 3/6":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "on_train_batch_end", interrupt)
    result = small.learn(tmp_path, trained=small.model())
    assert result.stopped == "interrupted"
    assert [row["epoch"] for row in result.rows] == [1, 2]
